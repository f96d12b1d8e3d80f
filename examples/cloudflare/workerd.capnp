# Rooms on a machine of one's own, without Cloudflare: npm run serve
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "rooms", worker = .rooms),
    (name = "disk", disk = (path = "data", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "rooms")],
);

const rooms :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "bundle/worker.js")],
  compatibilityDate = "2026-04-01",
  durableObjectNamespaces = [
    # The key names the rooms' files: with another one, all rooms are new.
    (className = "RoomObject", uniqueKey = "tinybase-rooms", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "ROOM", durableObjectNamespace = "RoomObject"),
    (name = "BACKEND_TOKEN", fromEnvironment = "BACKEND_TOKEN"),
  ],
);
