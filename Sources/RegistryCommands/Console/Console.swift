import ArgumentParser
import Foundation

/// Where a command writes, and the environment it reads.
struct Console: Sendable {
    /// Standard output: what was asked for.
    var write: @Sendable (String) throws -> Void
    /// Standard error: what people want to know besides.
    var tell: @Sendable (String) -> Void
    /// Whether a person sees standard error, so that a progress line makes sense.
    var isWatched: Bool
    /// Columns of the terminal.
    var width: Int
    var environment: [String: String]
    /// Asks a person for a secret, which is not shown while it is typed; nil where nobody is there.
    var ask: @Sendable (String) throws -> String? = { _ in nil }

    /// The console of the running command.
    @TaskLocal static var current = Console.standard

    /// The process's own.
    static let standard = Console(
        write: { try writeAll($0, to: STDOUT_FILENO) },
        tell: { try? writeAll($0, to: STDERR_FILENO) },
        isWatched: isatty(STDERR_FILENO) == 1,
        width: terminalWidth,
        environment: ProcessInfo.processInfo.environment,
        ask: askOnTerminal)

    private static var terminalWidth: Int {
        var size = winsize()
        let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return known ? max(40, Int(size.ws_col)) : 80
    }

    private static func askOnTerminal(_ question: String) throws -> String? {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        var settings = termios()
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        guard tcgetattr(terminal, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else { return nil }
        defer {
            tcsetattr(terminal, TCSAFLUSH, &settings)
            try? writeAll("\n", to: terminal)
        }
        try writeAll(question, to: terminal)
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while read(terminal, &byte, 1) == 1, byte != UInt8(ascii: "\n"), answer.count < 4096 { answer.append(byte) }
        return String(validating: answer, as: UTF8.self)
    }

    /// - Throws: `ExitCode` when nobody reads any more, ``CommandError`` when the text cannot be written.
    private static func writeAll(_ text: String, to descriptor: Int32) throws {
        var text = text
        try text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if count >= 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if errno == EPIPE {
                    throw ExitCode(ExitStatus.failed.rawValue)
                } else if errno != EINTR {
                    throw CommandError(.failed, "the output could not be written: \(String(cString: strerror(errno)))")
                }
            }
        }
    }
}
