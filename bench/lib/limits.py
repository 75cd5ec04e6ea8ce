# Bare limits, measured in the same rounds: walk and stat, one sequential writer, the single kernels of a backup.
import json
import os

from .measure import quiet, timed

# What every byte of a file that does not compress goes through, once, on its way down: (part, program, benchmark).
# In the last, a segment of 8 MiB becomes the rows that its homes get: {n} of them.
KERNELS = [("cut", "primitives_bench", "gear_cut"), ("id", "primitives_bench", "keyed_hash/1048576"),
           ("probe", "primitives_bench", "probe/words:0"), ("seal", "primitives_bench", "seal"),
           ("code and hash", "dispersal_bench", "bench_encode/{n}/8192")]
BENCH_SECONDS = "0.3"


def walk(tree):
    """Names and status of every file, and nothing else: find must ask for sizes to find none so large."""
    figure = timed(["find", tree, "-size", "+9000000M"])
    figure.pop("output")
    return figure


def write(source, folder, direct):
    """Bytes a second of one writer in large blocks, past the cache of the kernel where `direct`."""
    target = f"{folder}/written"
    figure = timed(["dd", f"if={source}", f"of={target}", "bs=8M", "status=none"] + ["oflag=direct"] * direct)
    rate = os.path.getsize(target) / figure["wall"]
    os.remove(target)
    return {"bytes_per_s": rate, "wall": figure["wall"], "cpu": figure["cpu"]}


def bytes_per_s(program, name):
    """One benchmark's rate by processor time on one core; None where there is none of this name."""
    told = json.loads(quiet([program, f"--benchmark_filter=^{name}$", "--benchmark_format=json",
                             f"--benchmark_min_time={BENCH_SECONDS}"]) or "{}")
    return next((run["bytes_per_second"] for run in told.get("benchmarks", [])), None)


def kernels(folder, rows):
    """Processor seconds per byte of each kernel of a first backup of what does not compress, at n = rows.
    folder: the build, where the benchmarks lie somewhere. Returns (seconds, what is missing)."""
    seconds, missing = {}, []
    for part, program, name in KERNELS:
        room = program.removesuffix("_bench")
        path, name = f"{folder}/src/{room}/{program}", name.format(n=rows)
        rate = bytes_per_s(path, name) if os.access(path, os.X_OK) else None
        if rate:
            seconds[part] = 1 / rate
        else:
            missing.append(f"{program} {name}")
    return seconds, missing
