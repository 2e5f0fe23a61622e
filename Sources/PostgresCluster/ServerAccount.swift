import Foundation

/// The account that Postgres runs under: our own, or an unprivileged one when we are root, because Postgres refuses to
/// run as root.
struct ServerAccount: Sendable {
    let name: String
    let userID: uid_t
    let groupID: gid_t
    /// The program that changes the account before it becomes the command; nil when no change is needed.
    private let setpriv: String?

    /// The account for this process; `unprivileged` is used when it is root.
    static func current(unprivileged: String) throws -> ServerAccount {
        guard geteuid() == 0 else {
            return ServerAccount(name: NSUserName(), userID: geteuid(), groupID: getegid(), setpriv: nil)
        }
        guard let entry = lookUp(unprivileged) else {
            throw PostgresClusterError(
                .accountMissing,
                "Postgres does not run as root, and the account '\(unprivileged)' that it would run under does not "
                    + "exist: install it with 'apt-get install postgresql', or start this program as another user")
        }
        guard entry.userID != 0 else {
            throw PostgresClusterError(
                .accountMissing, "Postgres does not run as root, and the account '\(unprivileged)' is root too")
        }
        guard let setpriv = Command.find("setpriv") else {
            throw PostgresClusterError(
                .binariesMissing,
                "setpriv, which starts Postgres as '\(unprivileged)', was not found: "
                    + "install it with 'apt-get install util-linux'")
        }
        return ServerAccount(name: unprivileged, userID: entry.userID, groupID: entry.groupID, setpriv: setpriv)
    }

    /// The command that runs `executable` under this account.
    func command(_ executable: String, _ arguments: [String], directory: String = "/") -> Command {
        guard let setpriv else {
            return Command(executable: executable, arguments: arguments, directory: directory)
        }
        let change = ["--reuid=\(userID)", "--regid=\(groupID)", "--clear-groups", "--"]
        return Command(executable: setpriv, arguments: change + [executable] + arguments, directory: directory)
    }

    /// Makes `path` this account's own, with nobody else let in.
    func own(_ path: String) throws {
        guard setpriv == nil || chown(path, userID, groupID) == 0, chmod(path, 0o700) == 0 else {
            throw PostgresClusterError.unusable(path, errno)
        }
    }

    /// Refuses a directory that this account cannot enter, and names the directory above it that is in the way.
    ///
    /// The kernel is asked, by a process of that account, since access lists and mounts have a say as well.
    func checkReach(of directory: String) async throws {
        guard setpriv != nil else { return }
        var above = [directory]
        while let last = above.last, last != "/" { above.append((last as NSString).deletingLastPathComponent) }
        // Exits with the position of the first directory that cannot be entered, 0 when there is none.
        let script = #"i=0; for d do i=$((i + 1)); [ -x "$d" ] || exit $i; done"#
        let path = Array(above.reversed())
        let status = Int(try await command("/bin/sh", ["-c", script, "sh"] + path).run())
        guard status != 0 else { return }
        // Everybody can enter the root: 1 is what setpriv says.
        guard 2...path.count ~= status else {
            throw PostgresClusterError(
                .accountMissing,
                "this process is root but may not start others as '\(name)' (setpriv failed): "
                    + "start it as an unprivileged user")
        }
        let blocked = path[status - 1]
        throw PostgresClusterError(
            .directoryUnreachable,
            "Postgres runs as '\(name)' because this process is root, and '\(name)' cannot enter \(blocked): choose a "
                + "directory elsewhere, such as /var/lib/ensemble-registry, or allow it with 'chmod o+x \(blocked)'")
    }

    private static func lookUp(_ name: String) -> (userID: uid_t, groupID: gid_t)? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &text, text.count, &found) == 0, found != nil else { return nil }
        return (entry.pw_uid, entry.pw_gid)
    }
}
