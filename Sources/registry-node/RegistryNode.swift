import ArgumentParser
import DaemonProgram
import Foundation
import Logging
import ServingNode

@main
struct RegistryNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry-node", abstract: "Serves the champions that a registry publishes.",
        version: ServingNode.version, subcommands: [Run.self])

    static func main() async { await runProgram() }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow ensembles and answer for them.",
        discussion: """
            Answers the Open Inference Protocol v2 under /v2. Only what is signed by the registry's keys is served, as \
            The Update Framework says. What was served last is kept on disk and served again after a restart, also \
            while the registry is away. Members whose tensors a request leaves out are called at their endpoints. \
            Metrics for Prometheus are under /metrics.
            """)

    @Option(help: ArgumentHelp("Address of the registry.", valueName: "url"))
    var registry: String

    @Option(help: ArgumentHelp("An ensemble to follow; may be given several times.", valueName: "name"))
    var ensemble: [String]

    @Option(help: ArgumentHelp("Directory for the last good manifests and what is trusted.", valueName: "dir"))
    var state: String

    @Option(help: ArgumentHelp("Where to answer; port 0 lets the system choose.", valueName: "host:port"))
    var listen = "127.0.0.1:8480"

    @Option(help: ArgumentHelp("File to write the chosen address to.", valueName: "file"))
    var addressFile: String?

    @Option(
        help: ArgumentHelp("File that holds the token; otherwise the environment's REGISTRY_TOKEN.", valueName: "file"))
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "The registry's root file, which says whose signatures count; needed for a new state directory.",
            valueName: "file"))
    var root: String?

    @Option(
        help: ArgumentHelp(
            "Name under which the node reports; otherwise one that the state directory keeps.", valueName: "name"))
    var nodeID: String?

    @Option(
        help: ArgumentHelp(
            "Stay at this manifest, if it is the current or the previous one.", valueName: "sequence"))
    var pin: Int?

    @Option(
        help: ArgumentHelp("How long the registry may hold its answer while nothing changes.", valueName: "seconds"))
    var waitSeconds = 45

    @Option(
        help: ArgumentHelp("How long to wait for a member; one that is slower counts as missing.", valueName: "ms"))
    var memberTimeout = 500

    @Option(
        name: .customLong("label-cache-mib"),
        help: ArgumentHelp("Memory for the answers kept for rows with a key; 0 keeps none.", valueName: "MiB"))
    var labelCacheMiB = 64

    @Option(
        name: .customLong("output-cache-mib"),
        help: ArgumentHelp("Memory for the members' outputs kept for rows with a key; 0 keeps none.", valueName: "MiB"))
    var outputCacheMiB = 128

    @OptionGroup var parent: ParentOptions

    func run() async throws {
        parent.watch()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let configuration: NodeConfiguration
        do {
            configuration = try NodeConfiguration(
                registry: registry, token: token(), ensembles: ensemble, stateDirectory: state, listen: listen,
                addressFile: addressFile, rootFile: root, nodeID: nodeID, pin: pin, waitSeconds: waitSeconds,
                serving: ServingOptions(
                    memberTimeout: .milliseconds(memberTimeout), labelCacheBytes: bytes(labelCacheMiB),
                    outputCacheBytes: bytes(outputCacheMiB)))
        } catch let error as NodeError {
            throw ValidationError(error.message)
        }
        try await ServingNode(configuration: configuration, logger: Logger(label: "registry-node")).run()
    }

    /// Out of range stays out of range.
    private func bytes(_ mebibytes: Int) -> Int { min(max(mebibytes, -1), 1 << 30) << 20 }

    private func token() throws -> String? {
        guard let tokenFile else { return ProcessInfo.processInfo.environment["REGISTRY_TOKEN"] }
        guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
            throw ValidationError("the token cannot be read from \(tokenFile): check the file and its permissions")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
