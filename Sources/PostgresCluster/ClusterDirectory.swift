import Foundation

/// The layout of a cluster's directory.
///
/// ```
/// DIRECTORY/lock           held by the process that serves the directory
/// DIRECTORY/postgres.log   what initdb and Postgres have to say
/// DIRECTORY/data           Postgres's own; appears complete, by a rename
/// DIRECTORY/data.new       an initdb under way, or one that was killed
/// DIRECTORY/socket         the one way in, mode 0700
/// ```
struct ClusterDirectory: Sendable {
    /// Unix socket paths end here: `sun_path` has 108 bytes, one of them for the terminator.
    static let longestSocketPath = 107
    static let port = 5432

    /// Absolute, without symbolic links.
    let path: String

    var lock: String { "\(path)/lock" }
    var log: String { "\(path)/postgres.log" }
    var data: String { "\(path)/data" }
    var newData: String { "\(path)/data.new" }

    /// A name that tells this directory from any other: FNV-1a of its path.
    var token: String {
        let hash = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return "ensemble-registry-" + String(hash, radix: 16)
    }

    /// The directory of the socket: beside the data, or under /tmp when that path is too long for a socket or has a
    /// comma, which libpq takes for the end of a host.
    var socket: String {
        let beside = "\(path)/socket"
        let fits = "\(beside)/.s.PGSQL.\(Self.port)".utf8.count <= Self.longestSocketPath
        return fits && !beside.contains(",") ? beside : "/tmp/\(token)"
    }

    /// The major version of the Postgres that wrote the data; nil when there is none.
    static func dataVersion(in directory: String) -> Int? {
        let text = try? String(contentsOfFile: "\(directory)/data/PG_VERSION", encoding: .utf8)
        return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// Makes the directory where it is missing, and those above it.
    init(making configured: String, undo: inout Undo) throws {
        let absolute = URL(fileURLWithPath: configured).standardizedFileURL.path
        try Self.make(absolute, undo: &undo)
        guard let resolved = realpath(absolute, nil) else { throw PostgresClusterError.unusable(absolute, errno) }
        defer { free(resolved) }
        path = String(cString: resolved)
    }

    private static func make(_ path: String, undo: inout Undo) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.isDirectory else { throw PostgresClusterError.unusable(path, ENOTDIR) }
            return
        }
        guard errno == ENOENT else { throw PostgresClusterError.unusable(path, errno) }
        try make((path as NSString).deletingLastPathComponent, undo: &undo)
        // When root makes it, Postgres's account has to get through to its own directories inside.
        let mode: mode_t = geteuid() == 0 ? 0o711 : 0o700
        guard mkdir(path, mode) == 0 else { throw PostgresClusterError.unusable(path, errno) }
        undo.add { rmdir(path) }
        guard chmod(path, mode) == 0 else { throw PostgresClusterError.unusable(path, errno) }
    }

    /// Makes the directory of the socket, or makes sure that it is ours, and removes what a killed Postgres left in it.
    ///
    /// Anybody can make a directory in /tmp: one that is another's, or a link, is refused rather than trusted.
    func prepareSocket(for account: ServerAccount, undo: inout Undo) throws {
        let socket = socket
        if mkdir(socket, 0o700) == 0 {
            undo.add { rmdir(socket) }
        } else if errno != EEXIST {
            throw PostgresClusterError.unusable(socket, errno)
        }
        var status = stat()
        guard lstat(socket, &status) == 0, status.isDirectory, status.st_mode & 0o777 == 0o700,
            [geteuid(), account.userID].contains(status.st_uid)
        else {
            throw PostgresClusterError(
                .directoryUnusable,
                "\(socket), where the socket belongs, is not a private directory of '\(account.name)': remove it")
        }
        // Nobody else can put a link in its place while it is root's.
        if status.st_uid != account.userID { try account.own(socket) }
        removeSocket()
    }

    /// Removes the socket and its lock file; Postgres takes one whose pid lives again as another process for in use.
    func removeSocket() {
        unlink("\(socket)/.s.PGSQL.\(Self.port)")
        unlink("\(socket)/.s.PGSQL.\(Self.port).lock")
    }

    /// Refuses data that is another account's, which Postgres would do with fewer words.
    func checkOwner(of data: String, is account: ServerAccount) throws {
        var status = stat()
        guard stat(data, &status) == 0 else { throw PostgresClusterError.unusable(data, errno) }
        guard status.st_uid == account.userID else {
            throw PostgresClusterError(
                .directoryUnusable,
                "\(data) belongs to user \(status.st_uid), and Postgres would run as '\(account.name)': start this "
                    + "program as before, or hand the data over with 'chown -R \(account.name) \(data)'")
        }
    }
}

extension stat {
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
}
