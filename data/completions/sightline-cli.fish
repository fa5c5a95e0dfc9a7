# SPDX-License-Identifier: MIT
# fish completion of sightline-cli. Commands and options come from its own --help, so that they are never out of step.
function __sightline_cli_commands
    sightline-cli --help 2>/dev/null | string match --regex --groups-only '^  ([a-z][a-z-]*) +(.*)$' | paste - -
end
function __sightline_cli_options
    set --local words (commandline --tokenize --cut-at-cursor)
    sightline-cli $words[2] --help 2>/dev/null | string match --regex --groups-only '^  (?:-[a-z], )?(--[a-z-]+)[^ ]* *(.*)$' | paste - -
end
complete --command sightline-cli --condition __fish_use_subcommand --no-files --arguments '(__sightline_cli_commands)'
complete --command sightline-cli --condition 'not __fish_use_subcommand; and string match --quiet -- "-*" (commandline --current-token)' \
    --arguments '(__sightline_cli_options)'
complete --command sightline-cli --condition '__fish_seen_subcommand_from history' --no-files --arguments 'list check export import'
complete --command sightline-cli --long-option mode --exclusive --arguments 'chat find ground'
complete --command sightline-cli --long-option device --exclusive --arguments 'auto cpu cuda'
complete --command sightline-cli --long-option endpoint-kind --exclusive --arguments 'other sightline vllm sglang lmdeploy deepseek'
complete --command sightline-cli --long-option view --exclusive --arguments 'tiny small base large gundam'
complete --command sightline-cli --long-option markup --exclusive --arguments 'none grounding all'
complete --command sightline-cli --short-option m --long-option model --exclusive --arguments '(__fish_complete_directories)'
complete --command sightline-cli --condition '__fish_seen_subcommand_from models' --no-files --arguments 'list search download verify import quantize remove'
complete --command sightline-cli --long-option picture-dir --exclusive --arguments '(__fish_complete_directories)'
complete --command sightline-cli --long-option key-file --require-parameter
