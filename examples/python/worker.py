"""A worker of Quorate in Python's standard library alone: it registers, takes work, beats, runs it, and reports.

    quorate serve --data DIR &
    python3 worker.py http://127.0.0.1:7171 w1 [--capacity 2] [--beat-ms 5000]
    quorate job submit --payload '{"command":["echo","hello"]}' --url http://127.0.0.1:7171

The payload of a job is {"command": [...]}: a program and its arguments. What it prints is the result; another exit code
than 0 is a failure, which is tried again, here or elsewhere. With a token of an identity set QUORATE_TOKEN.

The answer of a take can be lost, and so the same work can come twice, under the same dispatch token: it is run once. A
server that is away is asked again until it answers; the work goes on meanwhile. Whoever was silent for so long that its
work was given to another hears so with the next beat or report, and stops.
"""

import argparse, json, os, signal, subprocess, sys, threading, time, urllib.error, urllib.request


class Refused(Exception):
    """The server answered, and the answer is no."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Worker:
    def __init__(self, url, name, capacity, beat_ms):
        self.url, self.name, self.capacity, self.beat_ms = url.rstrip("/"), name, capacity, beat_ms
        self.lock = threading.Lock()
        self.running = {}  # (job, workflow, dispatch token) -> the process, or None before it begins
        self.ending = threading.Event()
        self.room = threading.Semaphore(capacity)

    def ask(self, verb, fields, wait=0.0):
        """One request, again and again until the server answers."""
        path = "register" if verb == "register" else f"{self.name}/{verb}"
        headers = {"Content-Type": "application/json"}
        if token := os.environ.get("QUORATE_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        body = json.dumps(fields).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/workers/{path}", body, headers)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=wait + 10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as answer:
                error = json.load(answer).get("error", {})
                if answer.code not in (429, 500, 503):
                    raise Refused(error.get("kind"), error.get("message"))
            except (OSError, ValueError):
                pass  # it is away, or the answer was cut off
            time.sleep(0.2)

    def register(self):
        # Another incarnation than before: what an earlier life of this worker ran is given to others at once.
        self.ask("register", {
            "worker_id": self.name, "capacity": self.capacity, "beat_ms": self.beat_ms,
            "incarnation": time.time_ns() // 1000,
        })

    def has(self):
        with self.lock:
            return [dict(zip(("job_id", "workflow_id", "dispatch_token"), work)) for work in self.running]

    def stop(self, told):
        for work in told.get("stop", []):
            with self.lock:
                process = self.running.get((work["job_id"], work["workflow_id"], work["dispatch_token"]))
            if process:
                process.kill()

    def beat(self):
        while not self.ending.wait(self.beat_ms / 1000):
            try:
                self.stop(self.ask("beat", {"running": self.has()})["beat"])
            except Refused as refused:
                print(f"beat: {refused}", file=sys.stderr, flush=True)

    def run(self, work):
        name = (work["job_id"], work["workflow_id"], work["dispatch_token"])
        outcome, result = "failed", ""
        try:
            command = work["payload"]["command"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            with self.lock:
                self.running[name] = process
            result = process.communicate()[0]
            stopped = process.returncode == -signal.SIGKILL
            outcome = "cancelled" if stopped else "completed" if process.returncode == 0 else "failed"
        except (OSError, TypeError, KeyError) as wrong:
            result = f"no command that can be run: {wrong!r}"
        try:
            self.ask("report", {
                "job_id": name[0], "workflow_id": name[1], "dispatch_token": name[2],
                "outcome": outcome, "result": result[-60000:],
            })
            print(f"{outcome} {name[0]}/{name[1]}, attempt {work['attempt']}", flush=True)
        except Refused as refused:
            print(f"not counted: {name[0]}/{name[1]}: {refused}", file=sys.stderr, flush=True)
        finally:
            with self.lock:
                del self.running[name]
            self.room.release()

    def serve(self):
        self.register()
        threading.Thread(target=self.beat, daemon=True).start()
        print(f"worker {self.name} takes work", flush=True)
        while not self.ending.is_set():
            self.room.acquire()
            if not self.take():
                self.room.release()

    def take(self):
        """Waits for one piece of work and begins it; False when there was none."""
        try:
            taken = self.ask("take", {"wait_ms": 20_000, "running": self.has()}, wait=20)["taken"]
        except Refused as refused:
            print(f"take: {refused}", file=sys.stderr, flush=True)
            self.ending.wait(1)
            if refused.kind == "not_found":
                self.register()
            return False
        self.stop(taken)
        for work in taken["work"]:
            name = (work["job_id"], work["workflow_id"], work["dispatch_token"])
            with self.lock:
                if name in self.running:
                    continue  # it came twice
                self.running[name] = None
            threading.Thread(target=self.run, args=(work,)).start()
            return True
        return False


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Runs the commands of jobs.")
    arguments.add_argument("url")
    arguments.add_argument("name")
    arguments.add_argument("--capacity", type=int, default=1)
    arguments.add_argument("--beat-ms", type=int, default=5000)
    given = arguments.parse_args()
    Worker(given.url, given.name, given.capacity, given.beat_ms).serve()
