import Foundation

/// `postmaster.pid`, in which Postgres says who it is and how far it got; `pg_ctl` reads the same lines.
struct PostmasterFile {
    let pid: pid_t
    let isReady: Bool

    init?(data: String) {
        guard let text = try? String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let pid = pid_t(lines[0]) else { return nil }
        self.pid = pid
        self.isReady = lines.count > 7 && lines[7].hasPrefix("ready")
    }

    /// Removes the file when its pid belongs to something else by now, which Postgres would take for a running server.
    /// A pid that is dead, or some Postgres's, is left to its own checks.
    static func removeStale(data: String) {
        guard let file = Self(data: data), kill(file.pid, 0) == 0 || errno == EPERM,
            !ServerProcesses.isPostgres(file.pid)
        else { return }
        unlink("\(data)/postmaster.pid")
    }
}
