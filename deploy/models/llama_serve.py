"""Serves one GGUF file over llama.cpp's HTTP server (xllamacpp) until it is told to stop.

Python only carries the model: nothing of Assay runs here. Stops on SIGTERM and SIGINT, and when its parent dies.
"""
import argparse
import os
import signal
import threading

import xllamacpp


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="path of a GGUF file")
    parser.add_argument("--alias", required=True, help="name under which the model answers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slots", type=int, default=4, help="answers under way at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens of context for each slot")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.model_alias = {args.alias}
    params.hostnames = [args.host]
    params.port = args.port
    params.n_parallel = args.slots
    params.n_ctx = args.context * args.slots
    params.cpuparams.n_threads = args.threads
    params.cpuparams_batch.n_threads = args.threads
    params.warmup = False
    params.ui = False

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = xllamacpp.Server(params)
    print("serving", args.alias, "at", server.listening_address, flush=True)
    parent = os.getppid()
    while not stop.wait(1.0):
        if os.getppid() != parent:
            break
    os._exit(0)  # the server's own threads do not return


if __name__ == "__main__":
    main()
