import Foundation

/// The processes of Postgres that work on one data directory, whoever started them.
struct ServerProcesses: Sendable {
    /// Until Postgres is asked less gently, and then to write what it has in memory.
    static let immediatePatience: Duration = .seconds(10)

    /// The data directory.
    let directory: String
    /// Part of the titles of all its processes (`cluster_name`).
    let token: String

    /// Ends them: a fast shutdown first, then an immediate one, then by force. Done when none is left.
    ///
    /// - Parameter patience: how long the fast shutdown, which writes a checkpoint, may take.
    func stop(patience: Duration) async throws {
        for (signal, patience) in [(SIGINT, patience), (SIGQUIT, Self.immediatePatience), (SIGKILL, .seconds(10))] {
            let deadline = ContinuousClock.now + patience
            var found = running()
            // The postmaster ends its children in order; only those without one are asked themselves.
            let asked = signal == SIGKILL ? found : found.filter { !found.contains(Self.parent(of: $0)) }
            for pid in asked where kill(pid, signal) != 0 && errno == EPERM {
                throw failure("it belongs to another account", found)
            }
            while !found.isEmpty, ContinuousClock.now < deadline {
                await pause()
                found = found.filter(isOurs)
                // Looking through all the processes is dear, and only needed to be sure at the end.
                if found.isEmpty { found = running() }
            }
            if found.isEmpty { return }
        }
        throw failure("it does not end", running())
    }

    /// Ends `child`, a Postgres that this process started, and whatever works with it.
    func stop(_ child: Process, patience: Duration) async throws {
        // A process that is being replaced by its next program has no title for a moment, and is not found.
        repeat {
            try await stop(patience: patience)
            await pause()
        } while child.isRunning
    }

    /// The processes that are alive now.
    func running() -> [pid_t] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { pid_t($0) }.filter(isOurs)
    }

    /// Whether the process is one of Postgres, of whatever cluster. Dead ones that nobody waited for are not.
    static func isPostgres(_ pid: pid_t) -> Bool {
        guard let name = title(of: pid)?.split(separator: "\0").first else { return false }
        // A child of the postmaster calls itself "postgres: cluster: what it does"; setpriv is to become one.
        let program = (String(name) as NSString).lastPathComponent
        return name.hasPrefix("postgres:") || ["postgres", "initdb", "setpriv"].contains(program)
    }

    /// Every process of Postgres works inside its data directory; the kernel's word for it (device and inode) survives
    /// a renamed directory. Root in a container may not ask about other users' processes, and goes by the title.
    private func isOurs(_ pid: pid_t) -> Bool {
        guard Self.isPostgres(pid) else { return false }
        var theirs = stat()
        var ours = stat()
        if stat("/proc/\(pid)/cwd", &theirs) == 0 {
            return stat(directory, &ours) == 0 && theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev
        }
        return Self.title(of: pid).map { $0.contains("\0\(directory)\0") || $0.contains(token) } ?? false
    }

    private static func title(of pid: pid_t) -> String? {
        FileManager.default.contents(atPath: "/proc/\(pid)/cmdline").map { String(decoding: $0, as: UTF8.self) }
    }

    private static func parent(of pid: pid_t) -> pid_t {
        // "pid (name) state parent ...", where the name may hold anything.
        let line = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
        return fields.count > 2 ? pid_t(fields[2]) ?? 0 : 0
    }

    private func failure(_ reason: String, _ pids: [pid_t]) -> PostgresClusterError {
        let list = pids.map(String.init).joined(separator: ", ")
        return PostgresClusterError(
            .stopFailed, "Postgres on \(directory) (pid \(list)) could not be stopped, \(reason): end it by hand")
    }
}
