import CLibpq

/// Where the database is, and the client's limits.
///
/// Neither its description nor its reflection shows the connection string: it may hold a password.
public struct PostgresConfiguration: Sendable {
    /// The most connections that the pool keeps; `listen` uses one more for each stream.
    public var maximumConnections = 8
    /// The longest that making a connection may take.
    public var connectTimeout = Duration.seconds(10)
    /// The longest that a task waits for a free connection.
    public var acquireTimeout = Duration.seconds(30)
    /// The longest that one statement may take, and one chunk of a COPY.
    public var statementTimeout = Duration.seconds(60)
    /// How long `shutdown` waits for connections that are still in use.
    public var shutdownTimeout = Duration.seconds(10)
    /// How long a connection may be unused before it is closed.
    public var idleTimeout = Duration.seconds(300)
    /// How many prepared statements a connection keeps.
    public var preparedStatementLimit = 256
    /// The name shown in `pg_stat_activity`.
    public var applicationName = "postgres-client"

    /// libpq's keywords and values; nil when the connection string cannot be read.
    let parameters: [(keyword: String, value: String)]?

    /// - Parameter connectionString: a URL (`postgres://user:password@host:port/database?sslmode=require`), libpq's
    ///   keywords (`host=/run/postgresql dbname=registry`), or the directory of the server's socket. One that cannot
    ///   be read makes every use of the client fail with `.invalidConfiguration`.
    public init(connectionString: String) {
        parameters =
            connectionString.hasPrefix("/")
            ? [("host", connectionString)] : Self.parse(connectionString).flatMap(Self.checked)
        for (keyword, value) in parameters ?? [] {
            switch keyword {
            case "application_name": applicationName = value
            case "connect_timeout":
                if let seconds = Int(value), seconds > 0 { connectTimeout = .seconds(seconds) }
            default: break
            }
        }
    }

    private static func parse(_ connectionString: String) -> [(keyword: String, value: String)]? {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(connectionString, &message)
        // The message may quote the connection string: it is dropped.
        if let message { PQfreemem(message) }
        guard let options else { return nil }
        defer { PQconninfoFree(options) }
        var parameters: [(String, String)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parameters.append((String(cString: keyword), String(cString: value))) }
            option += 1
        }
        return parameters
    }

    /// A password with an unescaped `@`, `:` or `/` ends up in other parts of a URL, and from there in messages.
    private static func checked(
        _ parameters: [(keyword: String, value: String)]
    ) -> [(keyword: String, value: String)]? {
        let isSuspect = parameters.contains { keyword, value in
            switch keyword {
            case "host", "hostaddr": value.contains("@")
            case "dbname": value.contains { "@/:=".contains($0) }
            case "port": value.contains { !$0.isNumber && $0 != "," }
            default: false
            }
        }
        return isSuspect ? nil : parameters
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomReflectable {
    /// Host, port, database and user.
    public var description: String {
        let shown = (parameters ?? []).filter { ["host", "port", "dbname", "user", "sslmode"].contains($0.keyword) }
        return "PostgresConfiguration(" + shown.map { "\($0.keyword)=\($0.value)" }.joined(separator: " ") + ")"
    }

    /// What `dump` shows: the description.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
