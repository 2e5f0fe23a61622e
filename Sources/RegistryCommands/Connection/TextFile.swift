import Foundation
import NIOCore

/// Small files, read and written whole.
enum TextFile {
    /// Reads a text file of bounded length.
    static func read(_ path: String, upTo limit: Int, what: String) throws -> String {
        let file = try LocalFile(path: path, what: what)
        var bytes: [UInt8] = []
        while let chunk = try file.read(at: Int64(bytes.count), upTo: limit + 1 - bytes.count), bytes.count <= limit {
            bytes += chunk.readableBytesView
        }
        guard bytes.count <= limit else {
            throw CommandError(.usage, "\(path) is longer than \(limit) bytes: is it \(what)?")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError(.usage, "\(path) is not UTF-8 text")
        }
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }

    /// The lines of a text without those that are blank.
    static func lines(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// Writes a file whole or not at all.
    static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw CommandError(.failed, "\(path) could not be written: \(error.localizedDescription)", cause: error)
        }
    }
}
