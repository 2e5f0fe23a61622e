import EnsembleModel
import RegistryAPI
import RegistryClient
import Trust

/// Why an update did not come to its end, and where it was then.
struct Setback: Error, Sendable {
    let stage: NodeReport.Stage
    /// Stable, for programs.
    let code: String
    let message: String
    /// Whether the published content itself is at fault, so that fetching it again cannot help.
    let refusesContent: Bool
    /// Whether the registry is told: not that it does not answer.
    let isRefusal: Bool

    var refusal: NodeReport.Refusal { NodeReport.Refusal(stage: stage, code: code, message: message) }

    init(_ stage: NodeReport.Stage, ensemble: String, _ error: any Error) {
        switch error {
        case let error as Setback: self = error
        case let error as TrustError:
            self.init(stage, error.code.rawValue, error.message, isRefusal: error.code != .unavailable)
        case let error as NodeError: self.init(stage, error)
        default:
            let error = NodeError(asking: ensemble, error)
            // A target that does not come is told: the manifest that it belongs to is known.
            self.init(stage, error.code.rawValue, "\(error)", isRefusal: error.code == .rollback || stage != .verify)
        }
    }

    private init(_ stage: NodeReport.Stage, _ error: NodeError) {
        let refusesContent =
            switch error.code {
            case .invalidManifest, .invalidCombiner, .equivocation: true
            default: false
            }
        self.init(stage, error.code.rawValue, "\(error)", refusesContent: refusesContent)
    }

    private init(
        _ stage: NodeReport.Stage, _ code: String, _ message: String, refusesContent: Bool = false,
        isRefusal: Bool = true
    ) {
        self.stage = stage
        self.code = code
        self.message = message
        self.refusesContent = refusesContent
        self.isRefusal = isRefusal
    }
}

extension NodeError {
    /// Why the registry could not be asked.
    fileprivate init(asking ensemble: String, _ error: any Error) {
        switch (error, (error as? RegistryClientError)?.problem?.code) {
        case (let error as RegistryClientError, .notFounded), (let error as RegistryClientError, .notFound):
            self.init(.nothingPublished, error.message)
        case (let error as RegistryClientError, .conflict):
            self.init(
                .rollback,
                "the registry is behind what this node has verified (was a backup restored?): what is served stays, "
                    + "run 'registry recover': \(error.message)")
        case (let error as RegistryClientError, .unauthenticated), (let error as RegistryClientError, .forbidden):
            self.init(
                .tokenRefused,
                "the registry refuses this node's token: \(error.message); make one with "
                    + "'registry tokens create NAME --scope node' and give it with --token-file or REGISTRY_TOKEN")
        case (is RegistryClientError, .ensembleNotFound):
            self.init(
                .unknownEnsemble,
                "the registry has no ensemble '\(ensemble)': check --ensemble and --registry, or create it with "
                    + "'registry ensembles create'")
        case (let error as RegistryClientError, _):
            self.init(.registryUnavailable, error.message, cause: error.cause)
        default: self.init(.registryUnavailable, "the registry could not be asked", cause: error)
        }
    }
}
