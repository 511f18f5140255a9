// Run a script in MicroPython's WebAssembly port: node node.mjs MODULE HEAP_KB SCRIPT ARGS...
// The modules are read from the folder MICROPYPATH, the script runs in the folder that node was started in, and
// /dev/port is the file descriptor that EDGE_PORT gives, non-blocking.
import fs from "node:fs";
import path from "node:path";

const [module, heapKb, script, ...args] = process.argv.slice(2);
const { loadMicroPython } = await import(module);
const put = (fd) => (data) => fs.writeSync(fd, data);
const python = await loadMicroPython({
  heapsize: heapKb * 1024, linebuffer: false, stdout: put(1), stderr: put(2),
});
const { FS } = python;
const INVALID = 28, IO = 29, MISSING = 44, EXISTS = 20, NOT_EMPTY = 55;
const CODES = { ENOENT: MISSING, EEXIST: EXISTS, ENOTEMPTY: NOT_EMPTY, EINVAL: INVALID };

function attempt(action) {
  try {
    return action();
  } catch (error) {
    throw new FS.ErrnoError(CODES[error.code] ?? IO);
  }
}

// A folder of this machine as a file system: what is written is written there at once.
function folderOf(root) {
  const at = (node) => node === node.parent ? root : path.join(at(node.parent), node.name);
  function make(parent, name, mode) {
    const node = FS.createNode(parent, name, mode, 0);
    node.node_ops = nodes;
    node.stream_ops = streams;
    return node;
  }
  const nodes = {
    getattr(node) {
      const s = attempt(() => fs.statSync(at(node)));
      return {
        dev: s.dev, ino: s.ino, mode: s.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: s.size,
        atime: s.atime, mtime: s.mtime, ctime: s.ctime, blksize: 4096, blocks: s.blocks,
      };
    },
    setattr(node, attributes) {
      if (attributes.size !== undefined) attempt(() => fs.truncateSync(at(node), attributes.size));
    },
    lookup(parent, name) {
      return make(parent, name, attempt(() => fs.statSync(path.join(at(parent), name))).mode);
    },
    mknod(parent, name, mode) {
      const place = path.join(at(parent), name);
      attempt(() => FS.isDir(mode) ? fs.mkdirSync(place) : fs.writeFileSync(place, ""));
      return make(parent, name, mode);
    },
    rename(node, folder, name) {
      attempt(() => fs.renameSync(at(node), path.join(at(folder), name)));
      node.name = name;
    },
    unlink: (parent, name) => attempt(() => fs.unlinkSync(path.join(at(parent), name))),
    rmdir: (parent, name) => attempt(() => fs.rmdirSync(path.join(at(parent), name))),
    readdir: (node) => [".", "..", ...attempt(() => fs.readdirSync(at(node)))],
  };
  const streams = {
    open(stream) {
      if (!FS.isFile(stream.node.mode)) return;
      const flags = stream.flags & ~(fs.constants.O_CREAT | fs.constants.O_EXCL);
      stream.host = attempt(() => fs.openSync(at(stream.node), flags & ~fs.constants.O_APPEND));
    },
    close: (stream) => { if (stream.host !== undefined) attempt(() => fs.closeSync(stream.host)); },
    read: (stream, buffer, offset, length, position) =>
      attempt(() => fs.readSync(stream.host, new Uint8Array(buffer.buffer), offset, length, position)),
    write: (stream, buffer, offset, length, position) =>
      attempt(() => fs.writeSync(stream.host, new Uint8Array(buffer.buffer), offset, length, position)),
    llseek(stream, offset, whence) {
      const from = whence === 1 ? stream.position : whence === 2 ? fs.fstatSync(stream.host).size : 0;
      if (from + offset < 0) throw new FS.ErrnoError(INVALID);
      return from + offset;
    },
  };
  return { mount: () => make(null, "/", 0o40777) };
}

function servePort(fd) {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const bytes = (buffer) => new Uint8Array(buffer.buffer);
  let idle_ms = 0.1;
  const patient = (action, again = true) => {
    try {
      const size = action();
      idle_ms = 0.1;
      return size;
    } catch (error) {
      if (error.code !== "EAGAIN") throw new FS.ErrnoError(IO);
      if (!again) return 0;
      Atomics.wait(clock, 0, 0, idle_ms);
      idle_ms = Math.min(1, idle_ms * 1.2);
      return patient(action, false);
    }
  };
  const device = FS.makedev(64, 0);
  FS.registerDevice(device, {
    open(stream) { stream.seekable = false; },
    close() {},
    read: (_, buffer, offset, length) => patient(() => fs.readSync(fd, bytes(buffer), offset, length, null)),
    write: (_, buffer, offset, length) => patient(() => fs.writeSync(fd, bytes(buffer), offset, length, null)),
  });
  FS.mkdev("/dev/port", device);
}

FS.mkdir("/lib");
FS.mount(folderOf(process.env.MICROPYPATH), {}, "/lib");
FS.mkdir("/disk");
FS.mount(folderOf(process.cwd()), {}, "/disk");
FS.chdir("/disk");
if (process.env.EDGE_PORT) servePort(Number(process.env.EDGE_PORT));
// Not .frozen: its binascii and others hide what a microcontroller has behind slower ones that differ.
const text = JSON.stringify([script, ...args]);
python.runPython(`import sys, json\nsys.path[:] = ["/lib"]\nsys.argv[:] = json.loads(${JSON.stringify(text)})`);
try {
  python.runPython(fs.readFileSync(script, "utf8"));
  python.runPython("import again");
  const steps = python.globals.get("again").steps;
  for (const step of steps) while (!step());
} catch (error) {
  if (error.type !== "SystemExit") console.error(error.message);
  process.exitCode = error.type === "SystemExit" ? Number(error.message.match(/SystemExit: (\d+)/)?.[1] ?? 0) : 1;
}
