import Boosting
import EnsembleModel
import Forest

/// Gathers what an evaluation found and turns it into an outcome with its evidence.
struct EvaluationReport {
    var verdict = Verdict.rejectNoGain
    var reason = ""
    var membersAfter: [ModelVersionID]
    var presetLosses: [String: Double] = [:]
    var closeness: [Evidence.Closeness] = []
    var ranking: [Evidence.Rank] = []
    var utilities: [UtilityScore] = []

    private let request: EvaluationRequest
    private let inputs: Inputs
    private let library: LightGBM
    private let preset: Policy.Preset
    private let membersBefore: [ModelVersionID]

    init(_ request: EvaluationRequest, inputs: Inputs, library: LightGBM, preset: Policy.Preset) {
        self.request = request
        self.inputs = inputs
        self.library = library
        self.preset = preset
        membersBefore = request.champion.sorted()
        membersAfter = membersBefore
    }

    /// Adds the utilities of a set's members that are not there yet, all four definitions.
    mutating func addUtilities(of fit: Coalitions.Fit, coalitions: Coalitions, monitor: Monitor) throws {
        monitor.begin("utility", total: fit.members.count)
        if !utilities.contains(where: { $0.kind == .shapleyAbs }) {
            let shapley = try HeldOutUtility(inputs, members: fit.members).shapley(
                coalitions.models(of: fit), monitor: monitor)
            utilities += shapley.abs + shapley.signed
        }
        utilities += try coalitions.sage(of: fit)
        for member in fit.members {
            let without = try coalitions.logLoss(of: fit.members.filter { $0 != member })
            utilities.append(UtilityScore(model: member, kind: .leaveOneOut, value: without - fit.metrics.logLoss))
        }
    }

    /// The outcome; the members before and after count as measured when they were fitted.
    func outcome(_ coalitions: Coalitions) throws -> EvaluationOutcome {
        let after = coalitions.known(membersAfter)
        let models = try after.map { try coalitions.models(of: $0) } ?? []
        let combiner = verdict.isAdmission ? try combiner(models) : nil
        let metrics = try metrics(before: coalitions.known(membersBefore), after: after)
        let evidence = Evidence(
            kind: request.kind, challenger: request.challenger, validation: inputs.validation.digest,
            epochSalt: request.epochSalt, rowCount: inputs.validation.rowCount,
            groupCount: inputs.validation.groupNames.count,
            inputs: try inputs.models.map { id in
                let candidate = try inputs.candidate(id)
                return Evidence.Input(model: id, predictions: candidate.predictions.digest, cost: candidate.cost)
            },
            policy: request.policy, policyVersion: request.policyVersion,
            library: Evidence.Library(name: "LightGBM", version: library.version, sha256: library.sha256),
            preset: preset, presetLosses: presetLosses, closeness: closeness,
            tried: coalitions.tried.map { Evidence.TriedSet(members: $0.members, logLoss: $0.metrics.logLoss) },
            ranking: ranking, membersBefore: membersBefore, membersAfter: membersAfter, verdict: verdict,
            reason: reason,
            metrics: metrics, utilities: utilities, foldModels: models.map(\.digest), combiner: combiner?.digest)
        return EvaluationOutcome(
            verdict: verdict, reason: reason, membersBefore: membersBefore, membersAfter: membersAfter,
            retired: membersBefore.filter { !membersAfter.contains($0) }, preset: preset, metrics: metrics,
            utilities: utilities, evidence: evidence, combiner: combiner)
    }

    /// The five fold models averaged on the raw-score scale: better on unseen rows than one refit on all rows.
    private func combiner(_ models: [FoldModel]) throws -> Combiner {
        let text = try Forest.averaged(lightGBMTexts: models.map(\.text))
        let forest = try Forest(lightGBMText: text, limits: .published)
        return Combiner(text: text, treeCount: forest.trees.count, golden: try goldenRows(of: forest))
    }

    /// The first rows that every member covers, with the combiner's raw scores.
    private func goldenRows(of forest: Forest) throws -> GoldenRows {
        let members = try membersAfter.map { try inputs.candidate($0).predictions }
        let rows = inputs.validation.rowIDs.indices.lazy
            .filter { row in !members.contains { $0.isMissing(row: row) } }
            .prefix(Self.goldenRowCount)
        let columns = try inputs.columns(of: membersAfter, rows: ArraySlice(rows))
        let scores = forest.rawScores(rows: columns)
        let (width, classes) = (forest.featureCount, forest.classCount)
        return GoldenRows(
            inputs: (0..<columns.count / width).map { columns[$0 * width..<($0 + 1) * width].map { Float($0) } },
            rawScores: (0..<columns.count / width).map { Array(scores[$0 * classes..<($0 + 1) * classes]) })
    }

    /// Rows that a node checks itself with: enough to notice a wrong scorer, few enough to travel in every manifest.
    private static let goldenRowCount = 4

    private func metrics(before: Coalitions.Fit?, after: Coalitions.Fit?) throws -> [MetricsRow] {
        let validation = inputs.validation
        let judged = request.challenger.map { (membersBefore + [$0]).sorted() } ?? inputs.models
        let predictions = try judged.map { try inputs.candidate($0).predictions }
        var rows = zip(judged, predictions).map {
            MetricsRow(subject: .model, model: $0, metrics: ClassificationMetrics($1, validation: validation))
        }
        rows.append(
            MetricsRow(
                subject: .average, metrics: ClassificationMetrics(averageOf: predictions, validation: validation)))
        rows.append(MetricsRow(subject: .classPrior, metrics: ClassificationMetrics(classPriorOf: validation)))
        if let before { rows.append(MetricsRow(subject: .champion, metrics: before.metrics)) }
        if let after { rows.append(MetricsRow(subject: .ensemble, metrics: after.metrics)) }
        return rows
    }
}
