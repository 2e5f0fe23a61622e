import EnsembleModel
import Foundation
import RegistryClient

/// What a serving node follows, where it keeps it and where it answers.
public struct NodeConfiguration: Sendable {
    /// A host and a port to listen on; port 0 lets the system choose.
    struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
        let host: String
        let port: Int

        /// Parses `HOST:PORT`; an IPv6 address stands in brackets.
        init(_ text: String) throws(NodeError) {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                throw Self.unusable(text)
            }
            var host = text[..<colon]
            if host.first == "[", host.last == "]" {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                throw Self.unusable(text)
            }
            guard !host.isEmpty else { throw Self.unusable(text) }
            self.host = String(host)
            self.port = Int(port)
        }

        init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

        private static func unusable(_ text: String) -> NodeError {
            NodeError(
                .invalidConfiguration,
                "'\(text.prefix(80))' is not an address to listen on: write HOST:PORT, such as 127.0.0.1:8480")
        }
    }

    let registryURL: String
    let token: String?
    let ensembles: [String]
    let stateDirectory: String
    let listen: ListenAddress
    let addressFile: String?
    let rootFile: String?
    let nodeID: String?
    let pin: Int?
    let wait: Duration
    let serving: ServingOptions

    /// Checks what a node is started with.
    ///
    /// - Parameters:
    ///   - registry: address of the registry, e.g. `http://127.0.0.1:8470`.
    ///   - token: a token with the scope `node` or `read`.
    ///   - ensembles: names of the ensembles to follow, at least one.
    ///   - stateDirectory: where the last good manifests are kept; made when it is not there.
    ///   - listen: `HOST:PORT`; port 0 lets the system choose.
    ///   - addressFile: where the address is written, as `HOST:PORT`, once the node listens.
    ///   - rootFile: the registry's root file; needed until the state directory holds a trusted root.
    ///   - nodeID: the name under which the node reports; nil for one that the state directory keeps.
    ///   - pin: sequence of a manifest to stay at, if it is the current or the previous one; for one ensemble only.
    ///   - waitSeconds: how long the registry is asked to hold its answer while there is nothing new; 0 asks once a
    ///     second.
    ///   - serving: how members are called and what is kept of their answers.
    /// - Throws: ``NodeError`` with code `invalidConfiguration`.
    public init(
        registry: String, token: String?, ensembles: [String], stateDirectory: String, listen: String,
        addressFile: String? = nil, rootFile: String? = nil, nodeID: String? = nil, pin: Int? = nil,
        waitSeconds: Int = 45, serving: ServingOptions = ServingOptions()
    ) throws(NodeError) {
        guard !ensembles.isEmpty, Set(ensembles).count == ensembles.count else {
            throw NodeError(.invalidConfiguration, "name the ensembles to follow, each once")
        }
        do {
            for ensemble in ensembles { try Name.check(ensemble, as: "ensemble") }
            if let nodeID { try Name.check(nodeID, as: "node") }
        } catch {
            throw NodeError(.invalidConfiguration, error.message)
        }
        guard (0...3600).contains(waitSeconds) else {
            throw NodeError(.invalidConfiguration, "the wait is \(waitSeconds) s; it must be between 0 and 3600 s")
        }
        guard pin ?? 1 >= 1, pin == nil || ensembles.count == 1 else {
            throw NodeError(
                .invalidConfiguration, "a pin is the sequence, from 1, of a manifest of the one ensemble followed")
        }
        guard (.milliseconds(1) ... .seconds(600)).contains(serving.memberTimeout) else {
            throw NodeError(
                .invalidConfiguration,
                "the member timeout is \(serving.memberTimeout); it must be between 1 ms and 600 s")
        }
        guard [serving.labelCacheBytes, serving.outputCacheBytes].allSatisfy((0...1 << 40).contains) else {
            throw NodeError(.invalidConfiguration, "a cache has a size from 0 (off) to 1,048,576 MiB")
        }
        registryURL = registry
        self.token = token
        self.ensembles = ensembles
        self.stateDirectory = stateDirectory
        self.listen = try ListenAddress(listen)
        self.addressFile = addressFile
        self.rootFile = rootFile
        self.nodeID = nodeID
        self.pin = pin
        wait = .seconds(waitSeconds)
        self.serving = serving
        _ = try client(limits: NodeLimits())
    }

    /// How the registry is asked: once a poll, because the follower has a backoff of its own.
    func client(limits: NodeLimits) throws(NodeError) -> RegistryClientConfiguration {
        do {
            return try RegistryClientConfiguration(
                baseURL: registryURL, token: token,
                timeouts: .init(answer: limits.registryAnswer, idle: limits.registryAnswer + wait),
                retries: .never, maximumAnswerBytes: limits.manifestBytes)
        } catch {
            throw NodeError(.invalidConfiguration, error.message)
        }
    }

    /// The bytes of the root file; nil where none was given.
    func root() throws(NodeError) -> [UInt8]? {
        guard let rootFile else { return nil }
        guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: rootFile)) else {
            throw NodeError(
                .invalidConfiguration, "the root file \(rootFile) cannot be read: check the path and its permissions")
        }
        return [UInt8](bytes)
    }
}
