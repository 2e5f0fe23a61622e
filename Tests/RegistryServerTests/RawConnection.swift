import Foundation
import RegistryTesting

/// A client that can do what HTTP clients do not: stop in the middle, or not listen.
final class RawConnection: Sendable {
    struct Failure: Error {
        let call: String
        let code: Int32
    }

    private let descriptor: Int32

    /// Connects to a port of this machine; no call waits longer than ten seconds.
    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(call: "connect", code: errno) }
    }

    deinit { close(descriptor) }

    /// Sends a text whole.
    func send(_ text: String) async throws {
        try await blocking { try self.sendBlocking(Array(text.utf8)) }
    }

    /// Sends until the other side accepts no more; nil when it still did after `limit`.
    func sendUntilRefused(limit: Duration) async -> Failure? {
        do {
            try await blocking {
                let deadline = ContinuousClock.now + limit
                let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
                while ContinuousClock.now < deadline { try self.sendBlocking(piece) }
            }
            return nil
        } catch {
            return error as? Failure
        }
    }

    /// Reads until the other side ends the connection.
    func readToEnd() async throws -> String { try await read(until: nil) }

    /// Reads until a text has come.
    func read(until end: String?) async throws -> String {
        try await blocking {
            var all: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = recv(self.descriptor, &piece, piece.count, 0)
                guard count >= 0 else { throw Failure(call: "recv", code: errno) }
                all += piece.prefix(count)
                let text = String(decoding: all, as: UTF8.self)
                if count == 0 || end.map(text.contains) == true { return text }
            }
        }
    }

    /// Ends the connection in the directions that `how` names.
    func end(_ how: Int) { shutdown(descriptor, Int32(how)) }

    /// Cuts the connection, as a crashed machine does that comes back.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        // Dissolves the connection without closing the descriptor, which deinit does.
        var nothing = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        connect(descriptor, &nothing, socklen_t(MemoryLayout<sockaddr>.size))
    }

    private func sendBlocking(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(call: "send", code: errno) }
            sent += count
        }
    }

    /// Waiting blocks: not for the cooperative pool.
    private func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try work() }) }.start()
        }
    }
}
