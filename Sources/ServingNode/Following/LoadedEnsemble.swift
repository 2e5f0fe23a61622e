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
        try Self.check(forest, with: manifest.golden)
        self.document = document
        tensorNames = Self.tensorNames(manifest.members)
    }

    /// The scores that the registry computed must come out here, bit for bit.
    private static func check(_ forest: Forest, with golden: GoldenRows) throws(NodeError) {
        guard let inputs = golden.inputValues, let expected = golden.rawScoreValues, inputs.count == expected.count,
            inputs.allSatisfy({ $0.count == forest.featureCount }), expected.allSatisfy({ $0.count == forest.classCount })
        else {
            throw NodeError(.invalidManifest, "the manifest is refused: its golden rows are not rows of its combiner")
        }
        for (input, expected) in zip(inputs, expected) {
            let scores = forest.rawScores(rows: input.map(Double.init))
            guard scores.map(\.bitPattern) == expected.map(\.bitPattern) else {
                throw NodeError(
                    .invalidCombiner,
                    "the combiner scores the manifest's golden rows differently here than at the registry: update the node")
            }
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
