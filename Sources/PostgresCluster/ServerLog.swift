import Foundation

/// The file that `initdb` and Postgres write to, since nobody reads their standard error.
struct ServerLog: Sendable {
    /// A longer log is put aside at the next start; one older log is kept.
    static let rotationBytes = 16 << 20

    let path: String
    let handle: FileHandle
    /// Where this run begins.
    private let start: UInt64

    /// Opens the log for appending.
    init(path: String, undo: inout Undo) throws {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_size > Self.rotationBytes { rename(path, "\(path).1") }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PostgresClusterError.unusable(path, errno) }
        if !exists { undo.add { unlink(path) } }
        self.path = path
        self.handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        self.start = (try? handle.seekToEnd()) ?? 0
    }

    /// The last lines of this run, for an error message.
    func tail(lines: Int = 15) -> String {
        let limit: UInt64 = 4_096
        guard let reader = FileHandle(forReadingAtPath: path), let end = try? reader.seekToEnd() else { return "" }
        try? reader.seek(toOffset: max(start, end > limit ? end - limit : 0))
        let text = String(decoding: (try? reader.readToEnd()) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }
}
