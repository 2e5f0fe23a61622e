import CLibpq
import Glibc

extension Session {
    /// Makes the connection, or throws `.connectionFailed`, `.timeout`, `.cancelled` or `.invalidConfiguration`.
    func connect() async throws {
        guard var parameters = configuration.parameters else {
            throw PostgresError(
                .invalidConfiguration,
                "The connection string cannot be read; use postgres://user:password@host:port/database with "
                    + "percent-encoding, libpq's keywords, or a socket directory.")
        }
        do {
            try await perform(timeout: configuration.connectTimeout) {
                parameters += try await self.resolve(parameters)
                let handle = try await self.establish(parameters)
                self.adopt(handle)
            }
        } catch let error as PostgresError where error.code == .timeout {
            throw PostgresError(.timeout, "Connecting to the database took longer than the connect timeout.")
        }
    }

    private func establish(_ parameters: [(keyword: String, value: String)]) async throws -> Handle {
        // What comes first is a default, which the connection string overrides. A peer that is gone without a word is
        // noticed within a minute.
        let all =
            [
                ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
                ("tcp_user_timeout", "30000"),
            ] + parameters + [("application_name", configuration.applicationName), ("client_encoding", "UTF8")]
        guard let pointer = Self.withCStrings(all.map(\.0), all.map(\.1), { PQconnectStartParams($0, $1, 0) }) else {
            throw PostgresError(.connectionFailed, "Cannot connect to the database: out of memory.")
        }
        let handle = Handle(pointer)
        // The default prints notices, which may hold data, to standard error.
        PQsetNoticeReceiver(pointer, { _, _ in }, nil)
        var direction = PGRES_POLLING_WRITING
        guard PQstatus(pointer) != CONNECTION_BAD else { throw ConnectionFailure.error(pointer) }
        while true {
            switch direction {
            case PGRES_POLLING_OK: return handle
            case PGRES_POLLING_READING: try await waitOnce(PQsocket(pointer), EPOLLIN)
            case PGRES_POLLING_WRITING: try await waitOnce(PQsocket(pointer), EPOLLOUT)
            default: throw ConnectionFailure.error(pointer)
            }
            direction = PQconnectPoll(pointer)
        }
    }

    /// While connecting, every wait may be for another socket.
    private func waitOnce(_ descriptor: Int32, _ events: EPOLL_EVENTS) async throws {
        loop.watch(descriptor, events.rawValue) { [weak self] _ in self?.assumeIsolated { $0.wake() } }
        defer { loop.unwatch(descriptor) }
        try await suspend()
    }

    /// libpq would look up names while everything else on the loop waits: this does it on a thread of its own.
    /// Returns the parameters that say the same with addresses.
    private func resolve(
        _ parameters: [(keyword: String, value: String)]
    ) async throws -> [(keyword: String, value: String)] {
        func value(_ keyword: String) -> String? { parameters.last { $0.keyword == keyword }?.value }
        guard let hosts = value("host"), value("hostaddr") == nil else { return [] }
        let names = hosts.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.contains(where: HostLookup.isNeeded) else { return [] }
        let ports = (value("port") ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let lookup = Lookup()
        loop.offload(name: "pg-dns") {
            HostLookup.parameters(names: names, ports: ports)
        } completion: { [weak self] found in
            self?.assumeIsolated { session in
                lookup.answer = .some(found)
                session.wake()
            }
        }
        while lookup.answer == nil { try await suspend() }
        guard let answer = lookup.answer, let found = answer else {
            throw PostgresError(.connectionFailed, "Cannot connect to the database: its host name cannot be resolved.")
        }
        return found
    }

    // Unchecked: used on the loop only.
    private final class Lookup: @unchecked Sendable {
        var answer: [(keyword: String, value: String)]??
    }

    private static func withCStrings<Result>(
        _ keywords: [String], _ values: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = (keywords.map { strdup($0) }, values.map { strdup($0) })
        defer { (copies.0 + copies.1).forEach { free($0) } }
        return body(copies.0.map { UnsafePointer($0) } + [nil], copies.1.map { UnsafePointer($0) } + [nil])
    }
}

/// The blocking look-up of host names.
enum HostLookup {
    /// Sockets' directories and addresses need none.
    static func isNeeded(_ host: String) -> Bool {
        if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") { return false }
        var buffer = in6_addr()
        return inet_pton(AF_INET, host, &buffer) != 1 && inet_pton(AF_INET6, host, &buffer) != 1
    }

    /// `host`, `hostaddr` and `port` with one entry for each address; nil if a name has none.
    static func parameters(names: [String], ports: [String]) -> [(keyword: String, value: String)]? {
        var hosts: [String] = []
        var addresses: [String] = []
        var hostPorts: [String] = []
        for (index, name) in names.enumerated() {
            guard let found = isNeeded(name) ? lookUp(name) : [name.hasPrefix("/") ? "" : name], !found.isEmpty else {
                return nil
            }
            hosts += found.map { _ in name }
            addresses += found
            hostPorts += found.map { _ in ports.count > 1 && index < ports.count ? ports[index] : ports.first ?? "" }
        }
        return [
            ("host", hosts.joined(separator: ",")), ("hostaddr", addresses.joined(separator: ",")),
            ("port", hostPorts.joined(separator: ",")),
        ]
    }

    private static func lookUp(_ name: String) -> [String]? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                addresses.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
            next = entry.ai_next
        }
        return addresses
    }
}

/// Why a connection could not be made, without what libpq quotes of the connection string.
enum ConnectionFailure {
    /// What libpq's messages are searched for.
    private static let reasons = [
        "Connection refused", "No such file or directory", "Permission denied", "Connection timed out",
        "No route to host", "Network is unreachable", "Connection reset by peer", "Cannot assign requested address",
        "no password supplied", "server does not support SSL", "certificate verify failed",
        "server closed the connection unexpectedly",
    ]

    static func error(_ pointer: OpaquePointer) -> PostgresError {
        PostgresError(.connectionFailed, message(PQerrorMessage(pointer).map { String(cString: $0) } ?? ""))
    }

    static func message(_ text: String) -> String {
        // What follows FATAL comes from the server, which does not know the password.
        let reason =
            text.split(separator: "\n").lazy.compactMap { line in
                line.firstRange(of: "FATAL:").map { line[$0.upperBound...].drop { $0 == " " } }.map(String.init)
            }.first ?? reasons.first(where: text.contains)
            ?? "an option of the connection string is wrong, or the server is no Postgres"
        return "Cannot connect to the database: \(reason)."
    }
}
