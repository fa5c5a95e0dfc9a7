#compdef sightline
# SPDX-License-Identifier: MIT
# zsh completion of sightline: its options, folders for --model, pictures.
_arguments \
    '(-m --model)'{-m+,--model=}'[load the checkpoint in this folder]:folder:_files -/' \
    '--new-chat[start a new conversation]' \
    '(- *)'{-v,--version}'[show the version and exit]' \
    '(- *)'{-h,--help}'[show all options and exit]' \
    '*:picture:_files'
