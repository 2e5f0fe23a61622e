import Dispatch
import Foundation

/// A program to run, with everything that it inherits stated: no environment, no open files, its own process group.
///
/// `Process` closes the descriptors above 2 and makes a process group, so that a Ctrl-C at the terminal reaches this
/// process alone and Postgres is stopped in order.
struct Command: Sendable {
    let executable: String
    let arguments: [String]
    var directory = "/"

    /// Starts the program. Its standard output and error go to `output`, or nowhere.
    func start(input: String? = nil, output: FileHandle? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ["PATH": Self.searchPath.joined(separator: ":"), "LC_ALL": "C", "TZ": "UTC"]
        process.standardOutput = output ?? FileHandle.nullDevice
        process.standardError = output ?? FileHandle.nullDevice
        guard let input else {
            process.standardInput = FileHandle.nullDevice
            try process.run()
            return process
        }
        let pipe = Pipe()
        process.standardInput = pipe
        try process.run()
        try pipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try pipe.fileHandleForWriting.close()
        return process
    }

    /// Runs the program to its end; a cancelled task kills it.
    func run(input: String? = nil, output: FileHandle? = nil) async throws -> Int32 {
        let process = try start(input: input, output: output)
        while process.isRunning {
            if Task.isCancelled { kill(process.processIdentifier, SIGKILL) }
            await pause()
        }
        try Task.checkCancellation()
        return process.terminationStatus
    }

    /// What the program writes to its standard output, or nil when it fails. Only for programs that answer at once.
    func answer() -> String? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let bytes = try? pipe.fileHandleForReading.readToEnd()
        process.waitUntilExit()
        guard process.terminationStatus == 0, let bytes else { return nil }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The directories of `PATH`, with the system's own behind them.
    static var searchPath: [String] {
        let own = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return own.split(separator: ":").map(String.init) + ["/usr/local/bin", "/usr/bin", "/bin"]
    }

    /// The path of the executable named `name` on `searchPath`.
    static func find(_ name: String) -> String? {
        searchPath.lazy.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Waits 10 ms, also in a cancelled task: a shutdown is often run by one, and has to be waited for.
func pause() async {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(10)) { continuation.resume() }
    }
}
