# Tab completion of meshctl for PowerShell. It evaluates nothing of what was typed.
Register-ArgumentCompleter -Native -CommandName 'meshctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @()
    $typed = ''
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        $extent = $element.Extent
        if ($extent.StartOffset -ge $cursorPosition) { break }
        if ($extent.EndOffset -ge $cursorPosition) {
            $typed = $extent.Text.Substring(0, $cursorPosition - $extent.StartOffset)
        } elseif ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $before += $element.Value
        } else {
            $before += $extent.Text
        }
    }
    $current = $typed -replace '^[''"]', '' -replace "''", "'"
    # PowerShell puts in only the last entry of a list, or only what follows a =.
    $word = $wordToComplete -replace '^[''"]', '' -replace "''", "'"
    $keep = if ($current.EndsWith($word)) { $current.Length - $word.Length } else { 0 }
    $lead = if ($current -match '^--[^=]*=') { $Matches[0] } else { '' }
    $lines = @($null | & meshctl __complete "--current=$current" '--' @before 2>$null)
    if ($lines.Count -eq 0 -or $lines[-1] -notmatch '^:(\d+)$') { return }
    $directive = [int]$Matches[1]
    # Nothing at all would make PowerShell offer files.
    if ($lines.Count -eq 1 -and ($directive -band 4)) { return '' }
    $lines | Select-Object -SkipLast 1 | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        $text = ($lead + $value).Substring([Math]::Min($keep, ($lead + $value).Length))
        if ($text -notmatch '^[\w@%+=:,./~-]+$') { $text = "'" + ($text -replace "'", "''") + "'" }
        if (-not $about) { $about = $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $about)
    }
}
