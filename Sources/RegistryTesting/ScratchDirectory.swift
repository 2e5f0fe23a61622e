public import Foundation

/// A directory of its own for a test, removed afterwards.
public enum ScratchDirectory {
    /// Makes a directory that other accounts may pass through, but not list: Postgres runs as another one under root.
    public static func make() throws -> URL {
        var template = Array("/tmp/registry-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard chmod(path, 0o711) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return URL(fileURLWithPath: path, isDirectory: true)
    }

    /// Runs `body` with a fresh directory.
    public static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (URL) async throws -> Result
    ) async throws -> Result {
        let directory = try make()
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(directory)
    }
}
