#compdef meshctl
# Tab completion of meshctl for zsh. It evaluates nothing of what was typed.
_meshctl() {
  local line value directive
  local -a before lines entries more
  before=("${(@Q)words[2,CURRENT-1]}")
  lines=("${(@f)$(meshctl __complete -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  directive=${lines[-1]#:}
  [[ $directive == <-> ]] || return 1
  for line in "${(@)lines[1,-2]}"; do
    # _describe takes VALUE:DESCRIPTION, with a backslash before what else is a colon.
    value=${${${line%%$'\t'*}//\\/\\\\}//:/\\:}
    [[ $line == *$'\t'* ]] && value+=":${line#*$'\t'}"
    entries+=("$value")
  done
  [[ $PREFIX == --*=* ]] && compset -P 1 '*='
  if (( $#entries == 0 )); then
    (( directive & 4 )) || _files
    return
  fi
  (( directive & 2 )) && more=(-S '')
  _describe -t meshctl meshctl entries "${more[@]}"
}
if [[ $funcstack[1] == _meshctl ]]; then
  _meshctl "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _meshctl meshctl
fi
