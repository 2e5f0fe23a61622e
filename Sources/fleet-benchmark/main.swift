import Foundation
import NIOCore
import NIOPosix

// Many serving nodes on real sockets, each holding a poll for news: what `deploy/benchmark fleet` sets on a daemon.
//
// usage: fleet-benchmark HOST PORT ENSEMBLE TOKEN-FILE NODES WAIT-SECONDS
//
// Prints a line of JSON when all nodes hold a poll (whole), when that is no longer so (broken), and when all have
// learned of a champion (learned: seconds since 1970 of the first, the median and the last). Ends with standard input.

let arguments = CommandLine.arguments
guard arguments.count == 7, let port = Int(arguments[2]), let count = Int(arguments[5]), let wait = Int(arguments[6]),
    let token = try? String(contentsOfFile: arguments[4], encoding: .utf8)
else {
    FileHandle.standardError.write(
        Data("usage: fleet-benchmark HOST PORT ENSEMBLE TOKEN-FILE NODES WAIT-SECONDS\n".utf8))
    exit(2)
}

var files = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
files.rlim_cur = files.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
guard files.rlim_cur > count + 100 else {
    FileHandle.standardError.write(
        Data("fleet-benchmark: \(count) nodes need as many open files; the limit is \(files.rlim_max)\n".utf8))
    exit(1)
}

let host = arguments[1]
let ensemble = arguments[3]
let secret = token.trimmingCharacters(in: .whitespacesAndNewlines)
let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
let fleet = Fleet(loop: loop, host: host, port: port, ensemble: ensemble, token: secret, waitSeconds: wait)
loop.execute { [fleet] in fleet.start(count) }
while readLine() != nil {}
exit(0)
