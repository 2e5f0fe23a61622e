public import EnsembleModel

/// The paths of the HTTP API, spelt once for the server and its clients.
///
/// `Sources/RegistryServer/openapi.yaml` describes what each takes and answers.
public enum APIPath {
    public static let root = "/api/v1"
    public static let ensembles = "\(root)/ensembles"
    public static let models = "\(root)/models"
    public static let nodes = "\(root)/nodes"
    public static let tokens = "\(root)/tokens"
    /// The registry's root of trust.
    public static let trustRoot = "\(root)/root"
    public static let recovery = "\(root)/recovery"
    /// The repositories of The Update Framework.
    public static let metadata = "/tuf"

    public static func ensemble(_ name: String) -> String { "\(ensembles)/\(name)" }
    public static func rows(_ name: String) -> String { "\(ensemble(name))/rows" }
    public static func championRows(_ name: String) -> String { "\(ensemble(name))/champion-rows" }
    public static func epochs(_ name: String) -> String { "\(ensemble(name))/epochs" }
    public static func found(_ name: String) -> String { "\(ensemble(name))/found" }
    public static func policy(_ name: String) -> String { "\(ensemble(name))/policy" }
    public static func policies(_ name: String) -> String { "\(ensemble(name))/policies" }
    public static func submissions(_ name: String) -> String { "\(ensemble(name))/submissions" }
    public static func decisions(_ name: String) -> String { "\(ensemble(name))/decisions" }
    public static func promotions(_ name: String) -> String { "\(ensemble(name))/promotions" }
    public static func manifest(_ name: String) -> String { "\(ensemble(name))/manifest" }
    public static func manifest(_ name: String, sequence: Int) -> String { "\(ensemble(name))/manifests/\(sequence)" }
    public static func rollback(_ name: String) -> String { "\(ensemble(name))/rollback" }
    public static func rollout(_ name: String) -> String { "\(ensemble(name))/rollout" }
    public static func nodes(_ name: String) -> String { "\(ensemble(name))/nodes" }
    public static func nodeStatus(_ id: String) -> String { "\(nodes)/\(id)/status" }
    public static func tufMetadata(_ ensemble: String, _ file: String) -> String {
        "\(metadata)/\(ensemble)/metadata/\(file)"
    }
    public static func tufTarget(_ ensemble: String, _ path: String) -> String {
        "\(metadata)/\(ensemble)/targets/\(path)"
    }
    public static func submission(_ id: Int64) -> String { "\(root)/submissions/\(id)" }
    public static func evaluation(_ id: Int64) -> String { "\(root)/evaluations/\(id)" }
    public static func retry(_ id: Int64) -> String { "\(evaluation(id))/retry" }
    public static func model(_ id: ModelVersionID) -> String { "\(models)/\(id)" }
    public static func decision(_ id: Int64) -> String { "\(root)/decisions/\(id)" }
    public static func evidence(_ id: Int64) -> String { "\(decision(id))/evidence" }
    public static func approve(_ id: Int64) -> String { "\(decision(id))/approve" }
    public static func reject(_ id: Int64) -> String { "\(decision(id))/reject" }
    public static func replay(decision id: Int64) -> String { "\(decision(id))/replay" }
    public static func replay(evaluation id: Int64) -> String { "\(evaluation(id))/replay" }
    public static func sealedEvidence(_ id: Int64) -> String { "\(decision(id))/sealed-evidence" }
    public static func combiner(_ digest: ContentDigest) -> String { "\(root)/combiners/\(digest.hex)" }
    public static func token(_ id: Int64) -> String { "\(tokens)/\(id)" }
}
