"""The same cable under the lean WebSocket class."""

from benchmarks._cable_servers._serving import serve
from benchmarks._cable_servers.cable_stock import make_app

if __name__ == "__main__":
    serve(make_app(), ws="lineside.cable.uvicorn:LeanProtocol")
