#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# transformers 5.24.0 saves a configuration whose positions transformers 4.38.2 then reads as the default ones, without a warning.
# Expected: the settings are also written under the names that they had for years, or the older version refuses what it does not know.
# Seen: rope_theta and rope_scaling are rewritten as one rope_parameters and are gone; 4.38.2 keeps that key as an attribute that nothing
# asks for, and takes rope_theta 10000 and no scaling. Going the other way, a rope_scaling in the file drops rope_parameters as a whole,
# its rope_theta too.
# Sightline reads both forms, with the precedence of 5.24.0, and refuses a key of a configuration that it does not know.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for version in 4.38.2 5.24.0; do
    python3 -m pip install -q --no-compile --root-user-action ignore --target "$root/$version" "transformers==$version" 'numpy<2' ||
        { echo "not on PyPI any more: transformers $version"; exit 77; }
done
export TRANSFORMERS_VERBOSITY=warning
PYTHONPATH=$root/5.24.0 python3 - "$root/model" 2>"$root/5.log" <<'PY'
import json, sys, transformers
from transformers import LlamaConfig
LlamaConfig(rope_theta=500000.0, rope_scaling={"rope_type": "linear", "factor": 4.0}).save_pretrained(sys.argv[1])
saved = json.load(open(sys.argv[1] + "/config.json"))
print("transformers", transformers.__version__, "saves", {k: v for k, v in saved.items() if k.startswith("rope")})
both = LlamaConfig(rope_scaling={"rope_type": "linear", "factor": 4.0}, rope_parameters={"rope_type": "default", "rope_theta": 500000.0})
print("and reads rope_scaling beside rope_parameters with a theta of 500000 as", both.rope_parameters)
assert "rope_theta" not in saved and "rope_scaling" not in saved and saved["rope_parameters"]["rope_theta"] == 500000.0
assert both.rope_parameters == {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
PY
PYTHONPATH=$root/4.38.2 python3 - "$root/model" 2>"$root/4.log" <<'PY'
import sys, transformers
from transformers import LlamaConfig
read = LlamaConfig.from_pretrained(sys.argv[1])
print("transformers", transformers.__version__, "reads rope_theta", read.rope_theta, "and rope_scaling", read.rope_scaling)
assert read.rope_theta == 10000.0 and read.rope_scaling is None
PY
! grep -i rope "$root/4.log"
