import EnsembleModel
import Forest

/// A champion ready to answer: an immutable value, so a request that began with it ends with it.
struct LoadedEnsemble: Sendable {
    let document: ManifestDocument
    let forest: Forest
    /// Names of the members' tensors, in the order of the combiner's columns.
    let tensorNames: [String]
    /// How each member is called, in the same order; nil for one that cannot be.
    let endpoints: [MemberEndpoint?]
    /// The combiner for rows that lack members.
    let conditioned: ConditionedForests

    var manifest: Manifest { document.manifest }
    /// Number of classes, K.
    var classCount: Int { manifest.classes.count }
    /// Whether a row's scores depend on the other rows of its group.
    var seesGroups: Bool { manifest.columns == .probabilityAndGroup }
    /// Tensors that a request may leave out.
    var optionalTensors: [OptionalTensor] { OptionalTensor.allCases.filter { $0 != .group || !seesGroups } }

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
            forest.featureCount == manifest.members.count * manifest.columns.count(classCount: manifest.classes.count)
        else {
            throw NodeError(
                .invalidCombiner,
                "the combiner has \(forest.classCount) classes and \(forest.featureCount) columns; "
                    + "its manifest has \(manifest.classes.count) classes, \(manifest.members.count) members and "
                    + "columns: \(manifest.columns.rawValue)")
        }
        self.document = document
        tensorNames = Self.tensorNames(manifest.members)
        endpoints = manifest.members.map { member in
            member.endpoint.flatMap { MemberEndpoint($0, model: member.model) }
        }
        conditioned = ConditionedForests(forest, memberWidth: forest.featureCount / manifest.members.count)
        try checkScoring()
    }

    /// Scores the manifest's golden rows: a node whose arithmetic differs from the registry's must not serve.
    private func checkScoring() throws(NodeError) {
        let (width, groups) = (manifest.members.count * classCount, manifest.golden.groups)
        guard let inputs = manifest.golden.inputValues, let expected = manifest.golden.rawScoreValues,
            inputs.count == expected.count, inputs.allSatisfy({ $0.count == width }),
            (groups != nil) == seesGroups, groups.map({ $0.count == inputs.count }) ?? true
        else { throw NodeError(.invalidManifest, "the manifest's golden rows do not fit its combiner") }
        let members = stride(from: 0, to: width, by: classCount).map { first in
            inputs.flatMap { $0[first..<first + classCount] }
        }
        let columns = columns(of: members, groups: groups)
        let scores = forest.rawScores(rows: MemberColumns.joined(columns, rows: Array(inputs.indices)))
        guard scores.map(\.bitPattern) == expected.joined().map(\.bitPattern) else {
            throw NodeError(
                .invalidCombiner, "this node does not compute the scores that the manifest's golden rows must have")
        }
    }

    /// What the combiner sees of each member.
    ///
    /// - Parameters:
    ///   - members: N x K probabilities of each member, in model order.
    ///   - groups: the group of each row, where the combiner sees groups; equal ones are one group.
    func columns(of members: [[Float]], groups: [some Hashable]?) -> [MemberColumns] {
        let groups = seesGroups ? groups.map { MemberColumns.numbered($0) } : nil
        return members.map { MemberColumns($0, classCount: classCount, groups: groups) }
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
    /// The group of each row, e.g. its query. Not optional where the combiner sees groups.
    case group
    /// The row's key, under which its label may be kept.
    case key
}
