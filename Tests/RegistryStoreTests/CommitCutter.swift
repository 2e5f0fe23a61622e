import Foundation
import Glibc
import Synchronization

/// Stands between client and server, and hangs up once in place of passing a message on.
final class CommitCutter: Sendable {
    /// What is not passed on.
    enum Cut: Sendable {
        /// The first answer to a COMMIT: the transaction is committed, and the client does not learn of it.
        case answerToCommit
        /// The client's message of a number, 1 = first: the server never sees it.
        case request(Int)
        /// The server's message of a number: what it answers was done, and the client does not learn of it.
        case answer(Int)
    }

    private struct Count {
        var requests = 0
        var answers = 0
        var cuts = 0
    }

    private let listener: Int32
    private let upstream: String
    private let cut: Cut
    private let count = Mutex(Count())

    /// How many messages were withheld: 0 or 1.
    var cutCount: Int { count.withLock { $0.cuts } }

    /// Listens on a socket in `directory`, under the name that libpq expects.
    init(directory: String, upstream: String, port: Int, cutting cut: Cut = .answerToCommit) throws {
        self.cut = cut
        self.upstream = "\(upstream)/.s.PGSQL.\(port)"
        listener = try Self.withAddress("\(directory)/.s.PGSQL.\(port)", bind)
        guard listen(listener, 16) == 0 else { throw Self.failure() }
    }

    /// Serves connections, each by threads of its own, until `stop`.
    func start() {
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Thread.detachNewThread { [self] in serve(client) }
            }
        }
    }

    func stop() {
        _ = shutdown(listener, Int32(SHUT_RDWR))
        _ = close(listener)
    }

    private func serve(_ client: Int32) {
        guard let server = try? Self.withAddress(upstream, connect) else {
            _ = close(client)
            return
        }
        let requests = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            pump(from: client, to: server) { [self] _ in
                count.withLock { count in
                    count.requests += 1
                    guard case .request(let number) = cut, count.requests == number else { return true }
                    count.cuts = 1
                    return false
                }
            }
            requests.signal()
        }
        pump(from: server, to: client) { [self] answer in
            count.withLock { count in
                count.answers += 1
                let isDue =
                    switch cut {
                    case .request: false
                    case .answer(let number): count.answers == number
                    case .answerToCommit: count.cuts == 0 && answer.range(of: Data("COMMIT\0".utf8)) != nil
                    }
                if isDue { count.cuts = 1 }
                return !isDue
            }
        }
        requests.wait()
        _ = close(client)
        _ = close(server)
    }

    /// Copies until either side ends or `passes` says no, then ends both.
    private func pump(from source: Int32, to target: Int32, passes: (Data) -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        copying: while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0, passes(Data(buffer[..<count])) else { break }
            var sent = 0
            while sent < count {
                let written = buffer.withUnsafeBytes {
                    send(target, $0.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { break copying }
                sent += written
            }
        }
        for socket in [source, target] { _ = shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private static func withAddress(
        _ path: String, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, length) }
        }
        guard descriptor >= 0, status == 0 else { throw failure() }
        return descriptor
    }

    private static func failure() -> POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
