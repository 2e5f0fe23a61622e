import EnsembleModel
import Forest

/// A champion ready to answer: an immutable value, so a request that began with it ends with it.
struct LoadedEnsemble: Sendable {
    let document: ManifestDocument
    let forest: Forest
    /// Names of the members' tensors, in the order of the combiner's columns.
    let tensorNames: [String]

    var manifest: Manifest { document.manifest }
    /// Number of classes, K.
    var classCount: Int { manifest.classes.count }

    /// Joins a manifest and the text of its combiner.
    ///
    /// - Throws: ``NodeError`` with code `invalidCombiner` when the text is not the one the manifest describes.
    init(_ document: ManifestDocument, combinerText text: [UInt8], limits: NodeLimits) throws(NodeError) {
        let (manifest, combiner) = (document.manifest, document.manifest.combiner)
        guard text.count == combiner.bytes else {
            throw NodeError(
                .invalidCombiner, "the combiner has \(text.count) bytes; its manifest says \(combiner.bytes)")
        }
        guard ContentDigest.of(text) == combiner.sha256 else {
            throw NodeError(.invalidCombiner, "the combiner does not have the digest \(combiner.sha256)")
        }
        do {
            forest = try Forest(lightGBMText: text, limits: limits.forest)
        } catch {
            throw NodeError(.invalidCombiner, "the combiner \(combiner.sha256) cannot be read", cause: error)
        }
        guard forest.trees.count == combiner.trees else {
            throw NodeError(
                .invalidCombiner, "the combiner has \(forest.trees.count) trees; its manifest says \(combiner.trees)")
        }
        guard forest.classCount == manifest.classes.count,
            forest.featureCount == manifest.members.count * manifest.classes.count
        else {
            throw NodeError(
                .invalidCombiner,
                "the combiner has \(forest.classCount) classes and \(forest.featureCount) columns; "
                    + "its manifest has \(manifest.classes.count) classes and \(manifest.members.count) members")
        }
        self.document = document
        tensorNames = Self.tensorNames(manifest.members)
        try checkScoring()
    }

    /// Scores the manifest's golden rows: a node whose arithmetic differs from the registry's must not serve.
    private func checkScoring() throws(NodeError) {
        guard let inputs = manifest.golden.inputValues, let expected = manifest.golden.rawScoreValues,
            inputs.count == expected.count, inputs.allSatisfy({ $0.count == forest.featureCount })
        else { throw NodeError(.invalidManifest, "the manifest's golden rows do not fit its combiner") }
        let scores = forest.rawScores(rows: inputs.joined().map(Double.init))
        guard scores.map(\.bitPattern) == expected.joined().map(\.bitPattern) else {
            throw NodeError(
                .invalidCombiner, "this node does not compute the scores that the manifest's golden rows must have")
        }
    }

    /// A member's tensor has the model's name; `model@version` where that would stand for two things.
    private static func tensorNames(_ members: [Manifest.Member]) -> [String] {
        var uses = Dictionary(members.map { ($0.model, 1) }, uniquingKeysWith: +)
        for reserved in OptionalTensor.allCases { uses[reserved.rawValue, default: 0] += 1 }
        return members.map { uses[$0.model] == 1 ? $0.model : "\($0.model)@\($0.version)" }
    }
}

/// Tensors that a request may carry besides the members' probabilities.
enum OptionalTensor: String, CaseIterable {
    /// The group of each row, e.g. its query.
    case group
    /// The row's key, under which its label may be kept.
    case key
}
