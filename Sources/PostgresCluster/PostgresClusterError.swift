import Foundation

/// What went wrong with the private Postgres cluster, and what to do about it.
public struct PostgresClusterError: Error, CustomStringConvertible {
    /// Stable names of the failures; scripts and tests branch on them.
    public enum Code: String, Sendable {
        /// Another process serves this directory.
        case directoryInUse = "directory_in_use"
        /// The account that Postgres runs under cannot enter the directory or one above it.
        case directoryUnreachable = "directory_unreachable"
        /// The directory cannot be made, read or written, or holds something else.
        case directoryUnusable = "directory_unusable"
        /// `initdb` or `postgres` was not found.
        case binariesMissing = "binaries_missing"
        /// The data was written by another major version of Postgres than those installed, or theirs is too old.
        case versionMismatch = "version_mismatch"
        /// The unprivileged account that Postgres needs when this process is root does not exist.
        case accountMissing = "account_missing"
        /// `initdb` failed; the message ends with what it wrote.
        case initializationFailed = "initialization_failed"
        /// Postgres did not come up; the message ends with the tail of its log.
        case startFailed = "start_failed"
        /// Postgres could not be ended.
        case stopFailed = "stop_failed"
        /// Postgres ended although nobody asked it to.
        case serverExited = "server_exited"
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and the remedy, for people.
    public let message: String
    /// The error underneath, if there is one.
    public let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, followed by its cause.
    public var description: String {
        cause.map { "\(message) (\($0))" } ?? message
    }
}

extension PostgresClusterError {
    /// A path that the system refuses to work with, for the reason in `errno`.
    static func unusable(_ path: String, _ errno: Int32) -> PostgresClusterError {
        PostgresClusterError(
            .directoryUnusable,
            "\(path) cannot be used for the data directory: \(String(cString: strerror(errno))); "
                + "choose another directory or correct its owner and mode")
    }
}
