public import ArgumentParser
import Foundation
public import Logging

/// Options about logging, the same for all commands.
struct LoggingOptions: ParsableArguments {
    @Option(help: "Least level to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel = Logger.Level.notice

    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        return logger
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// Where files are kept when no option says so.
enum DefaultDirectory {
    static var data: String {
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "") + "/.local/share"
        return base + "/ensemble-registry"
    }
}

/// An address to listen on, `HOST:PORT` or `[IPV6]:PORT`.
struct ListenAddress: ExpressibleByArgument, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = String(argument[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        self.init(host: host, port: Int(port))
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var defaultValueDescription: String { description }
}

/// The program that is running.
enum ThisProgram {
    /// Its file.
    static var path: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    /// Processor cores that it may use.
    static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Allows this process as many open files as the system lets it: every node that waits holds one.
    static func raiseOpenFiles() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Host and process id: no other running instance has the same.
    static var instance: String { "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)" }

    /// Replaces this process by the same program with one more environment variable, unless it has it already.
    ///
    /// OpenMP reads its variables before `main`, so setting them in the running process would be too late.
    static func executeAgain(with name: String, _ value: String) throws {
        guard ProcessInfo.processInfo.environment[name] != value else { return }
        setenv(name, value, 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(path, &arguments)
        throw ValidationError(
            "the program could not be started again with \(name)=\(value): \(String(cString: strerror(errno)))")
    }
}
