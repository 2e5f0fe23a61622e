public import ArgumentParser
import Foundation

/// Whether a program ends with the one that started it.
public struct ParentOptions: ParsableArguments {
    @Flag(help: "End when standard input closes, as it does when the parent process is gone.")
    var exitWithParent = false

    /// Options that were not parsed yet.
    public init() {}

    /// Where asked, sends this process SIGTERM once standard input ends, so that it shuts down as if it had been told
    /// to. Whoever started the program holds the other end of the pipe, and however it goes, that end closes.
    public func watch() {
        guard exitWithParent else { return }
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            kill(getpid(), SIGTERM)
        }
        thread.name = "parent-watch"
        thread.start()
    }
}
