#!/usr/bin/env bash
# Error tables learned here and by crowd-kit 1.4.2, side by side: 100 passes over the same recorded votes, the seconds of
# each and how far the answers differ.
#
#   tests/bench/em_beside_crowdkit.sh [SET…]     product and dogs without any
#
# Needs python3 and, for crowd-kit, the network. Everything is put into a temporary folder, which is removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
sets=("$@")
[ ${#sets[@]} -gt 0 ] || sets=(product dogs)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "crowd-kit==1.4.2"
for set in "${sets[@]}"; do
    cargo bench --locked --quiet --bench em -- answers "$set" "$folder/$set.csv" >"$folder/ours"
    "$folder/venv/bin/python" - "$set" "../shared/data/votes/$set-answers.csv.gz" "$folder/$set.csv" "$folder/ours" <<'PYTHON'
import sys, time
import pandas
from crowdkit.aggregation import DawidSkene

name, votes, answers, ours = sys.argv[1:]
data = pandas.read_csv(votes, dtype=str)
data.columns = ["task", "worker", "label"]
times = []
for _ in range(3):
    start = time.perf_counter()
    model = DawidSkene(n_iter=100, tol=-float("inf"))
    theirs = model.fit_predict_proba(data)
    times.append(time.perf_counter() - start)
seconds, mine = sorted(times)[1], float(open(ours).read().split()[-1])
table = pandas.read_csv(answers, names=["task", "label", "p"], dtype={"task": str, "label": str})
table = table.pivot(index="task", columns="label", values="p").loc[theirs.index, theirs.columns]
apart = (table - theirs).abs().to_numpy().max()
passes = len(model.loss_history_)
print(f"{name}: {passes} passes, crowd-kit {seconds:.3f} s, here {mine:.4f} s, {seconds / mine:.0f} times as fast; "
      f"answers differ by at most {apart:.1e}")
sys.exit(0 if apart <= 1e-6 else 1)
PYTHON
done
