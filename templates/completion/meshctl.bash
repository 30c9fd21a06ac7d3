# Tab completion of meshctl for bash. It needs no other package, and evaluates nothing of what was typed.
_meshctl() {
  local out line value about widest=0 directive
  local -a abouts=()
  COMPREPLY=()
  out=$(meshctl __complete "--bash=$COMP_WORDBREAKS" -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null </dev/null)
  directive=${out##*:}
  case $directive in '' | *[!0-9]*) directive=4 out= ;; esac
  while IFS= read -r line; do
    value=${line%%$'\t'*}
    [[ -z $value || $line == ":$directive" ]] && continue
    COMPREPLY+=("$value")
    [[ $line == *$'\t'* ]] && about="(${line#*$'\t'})" || about=
    abouts+=("$about")
    ((${#value} > widest)) && widest=${#value}
  done <<<"$out"
  # Only looked at, not put in: a second TAB.
  if ((COMP_TYPE == 63 && ${#COMPREPLY[@]} > 1)); then
    local i
    for i in "${!COMPREPLY[@]}"; do
      printf -v line '%-*s  %s' "$widest" "${COMPREPLY[i]}" "${abouts[i]}"
      COMPREPLY[i]=${line:0:${COLUMNS:-80}-1}
    done
  fi
  ((directive & 2)) && compopt -o nospace 2>/dev/null
  ((directive & 4)) && compopt +o default 2>/dev/null
  return 0
}
complete -o default -F _meshctl meshctl
