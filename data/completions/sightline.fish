# SPDX-License-Identifier: MIT
# fish completion of sightline: its options, folders for --model, pictures.
complete --command sightline --short-option m --long-option model --exclusive --arguments '(__fish_complete_directories)' \
    --description 'Load the checkpoint in this folder'
complete --command sightline --long-option new-chat --description 'Start a new conversation'
complete --command sightline --short-option v --long-option version --description 'Show the version and exit'
complete --command sightline --short-option h --long-option help --description 'Show all options and exit'
