import ArgumentParser
import KeyFiles
import RegistryAPI
import RegistryClient
import Trust

/// Makes the newest root of a folder the registry's.
struct PublishRootCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Send a registry the roots of the folder that it does not have yet.",
        discussion: """
            Each must be signed by the keys of the root before it and by its own. Daemons take up the new root within \
            seconds and sign everything again; give them the key files of new keys before. Private keys are not sent.
            """)

    @Option(help: ArgumentHelp("Folder of key files and roots.", valueName: "dir"))
    var keys: String
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    /// What was sent.
    private struct Published: Encodable {
        var version: Int
        var sent: [Int]
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let directory = KeyDirectory(path: keys)
        guard let newest = try directory.root() else {
            throw CommandError(
                .refused, "there is no complete root in \(keys): registry keys status tells what is missing")
        }
        let known = try await knownVersion(client)
        guard newest.content.version >= known else {
            throw CommandError(
                .refused,
                "the registry's root is version \(known), newer than version \(newest.content.version) in \(keys)")
        }
        let versions = Array((known + 1)..<(newest.content.version + 1))
        for version in versions {
            guard let root = try directory.root(version: version) else {
                throw CommandError(
                    .refused, "the registry needs \(version).root.json first, which is not in \(keys)")
            }
            try await client.addTrustRoot(root.bytes)
        }
        try output.emit(Published(version: newest.content.version, sent: versions)) { published in
            published.sent.isEmpty
                ? "Root \(published.version) is the registry's already."
                : "Root \(published.version) is the registry's newest."
        }
    }

    /// Version of the registry's newest root; 0 when it has none.
    private func knownVersion(_ client: RegistryClient) async throws -> Int {
        do {
            return try Signed<Root>(parsing: try await client.trustRoot()).content.version
        } catch let error as RegistryClientError where error.problem?.code == .notFound {
            return 0
        }
    }
}
