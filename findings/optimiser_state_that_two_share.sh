#!/usr/bin/env bash
# torch 2.13.0: Optimizer.load_state_dict(other.state_dict()) copies nothing. Both optimisers then work on the same moments.
#
# Expected: loading copies values, as Module.load_state_dict does (its parameters lie elsewhere afterwards), so that a second model
#   may go on from the first one's optimiser while the first goes on by itself: a child of a population, an arm of a comparison, a
#   trial of a learning rate.
# Seen: of Adam, AdamW and SGD with momentum, every tensor of the state is one object in both. A step of the second changes the first
#   one's moments; Adam's `step`, a tensor too, is counted by both, so that its bias correction is that of twice as many steps.
#   Nothing warns. A dtype or device that differs copies, so the same code is right on two devices and wrong on one. A deep copy of
#   the state_dict, or a detour by a file, is safe.
# Why it matters: two trainings disturb each other, and each result depends on the order in which they step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "numpy<3" 2>/dev/null
cat >"$folder/shared.py" <<'PYTHON'
import copy

import torch

print("torch", torch.__version__.partition("+")[0])
OPTIMISERS = {
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "SGD with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
}


def made(kind, gradient=None):
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = kind([weight])
    if gradient is not None:
        step(weight, optimiser, gradient)
    return weight, optimiser


def step(weight, optimiser, gradient):
    weight.grad = torch.full((3,), gradient)
    optimiser.step()


for name, kind in OPTIMISERS.items():
    for way in (lambda state: state, copy.deepcopy):
        (first, of_first), (second, of_second) = made(kind, 1.0), made(kind)
        of_second.load_state_dict(way(of_first.state_dict()))
        before = {key: value.clone() for key, value in of_first.state[first].items()}
        step(second, of_second, -5.0)
        after = of_first.state[first]
        changed = [key for key in before if not torch.equal(before[key], after[key])]
        how = "as it is" if way is not copy.deepcopy else "deep copy"
        print(f"{name}, {how}: the second's step changed of the first: {', '.join(changed) or 'nothing'}")

one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
other.load_state_dict(one.state_dict())
print("modules share their weights:", one.weight.data_ptr() == other.weight.data_ptr())
PYTHON
cat >"$folder/seen.txt" <<'SEEN'
torch 2.13.0
Adam, as it is: the second's step changed of the first: step, exp_avg, exp_avg_sq
Adam, deep copy: the second's step changed of the first: nothing
AdamW, as it is: the second's step changed of the first: step, exp_avg, exp_avg_sq
AdamW, deep copy: the second's step changed of the first: nothing
SGD with momentum, as it is: the second's step changed of the first: momentum_buffer
SGD with momentum, deep copy: the second's step changed of the first: nothing
modules share their weights: False
SEEN
"$folder/venv/bin/python" -W ignore "$folder/shared.py" | tee "$folder/now.txt"
diff "$folder/seen.txt" "$folder/now.txt"
