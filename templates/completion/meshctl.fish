# Tab completion of meshctl for fish. It evaluates nothing of what was typed.
function __meshctl_complete
    set -l before (commandline -opc)
    while string match -qr '^\w+=' -- $before[1]
        set -e before[1]
    end
    set -e before[1]
    # What is typed of this word, without its quotes, of which the last one may still be open.
    set -l typed (commandline -ct)
    set -l current "$typed"
    for close in '' "'" '"'
        set -l plain (string unescape -- "$typed$close" 2>/dev/null)
        and set current "$plain"
        and break
    end
    set -l lines (meshctl __complete -- $before "$current" 2>/dev/null </dev/null)
    set -l directive (string match -r '(?<=^:)\d+$' -- $lines[-1])
    or return
    set -e lines[-1]
    set -l lead (string match -r '^--[^=]*=' -- "$current")
    if set -q lines[1]
        printf '%s\n' "$lead"$lines
    else if test (math "floor($directive / 4) % 2") -eq 0
        set -l rest (string replace -r '^--[^=]*=' '' -- "$current")
        printf '%s\n' "$lead"(__fish_complete_path "$rest")
    end
end
complete -c meshctl -f -a '(__meshctl_complete)'
