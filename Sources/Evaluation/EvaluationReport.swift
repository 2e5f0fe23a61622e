import Boosting
import EnsembleModel
import Forest

/// Gathers what an evaluation found and turns it into an outcome with its evidence.
struct EvaluationReport {
    var verdict = Verdict.rejectNoGain
    var reason = ""
    var preset = Policy.Preset.standard
    var presetLosses: [String: Double] = [:]
    var closeness: [Evidence.Closeness] = []
    private var membersAfter: [ModelVersionID]
    private var ranking: [Evidence.Rank] = []
    private var utilities: [UtilityScore] = []
    private var segments: [Evidence.Segment] = []
    private var search: [Evidence.SearchStep] = []
    private var screen: Comparison?
    private var sealed: SealedFindings?

    private let request: EvaluationRequest
    private let coalitions: Coalitions
    private let searched: Coalitions
    private let library: LightGBM
    private let membersBefore: [ModelVersionID]

    private var inputs: Inputs { coalitions.inputs }

    init(_ request: EvaluationRequest, coalitions: Coalitions, searched: Coalitions, library: LightGBM) {
        self.request = request
        self.coalitions = coalitions
        self.searched = searched
        self.library = library
        membersBefore = request.champion.sorted()
        membersAfter = membersBefore
    }

    /// Takes a rule's judgement over.
    mutating func take(_ judgement: Judgement) {
        verdict = judgement.verdict
        reason = judgement.reason
        membersAfter = judgement.membersAfter
        ranking = judgement.ranking
        utilities = judgement.utilities
        search = judgement.search
        screen = judgement.screen
        sealed = judgement.sealed
    }

    /// Founds the ensemble with a set if it is better than the class prior.
    mutating func found(_ fit: Coalitions.Fit, monitor: Monitor, reason: () throws -> String) throws {
        let priorLoss = try coalitions.logLoss(of: [])
        let loss = fit.metrics.logLoss
        guard loss < priorLoss else {
            verdict = .rejectNoGain
            self.reason =
                "log-loss \(loss.decimals(4)) is no better than the class prior's \(priorLoss.decimals(4))"
            return
        }
        verdict = .admit
        membersAfter = fit.members
        self.reason = try reason()
        try addUtilities(of: searched.fit(fit.members), monitor: monitor)
    }

    /// Adds the utilities of a set's members that are not there yet, all four definitions.
    mutating func addUtilities(of fit: Coalitions.Fit, monitor: Monitor) throws {
        monitor.begin("utility", total: 0)
        let (models, held) = (try searched.models(of: fit), try HeldOutUtility(searched.inputs, members: fit.members))
        if !utilities.contains(where: { $0.kind == .shapleyAbs }) {
            let shapley = try held.shapley(models, over: searched.rows, monitor: monitor)
            utilities += shapley.abs + shapley.signed
        }
        segments = try held.segments(models, over: searched.rows, slices: shownSlices, monitor: monitor)
        utilities += try searched.sage(of: fit)
        monitor.begin("leave-one-out", total: fit.members.count)
        for member in fit.members {
            let without = try searched.logLoss(of: fit.members.filter { $0 != member })
            utilities.append(UtilityScore(model: member, kind: .leaveOneOut, value: without - fit.metrics.logLoss))
        }
    }

    /// The largest slices, by name; none where all rows are of the same.
    private var shownSlices: [String] {
        let validation = inputs.validation
        guard validation.sliceNames.count > 1 else { return [] }
        var counts = [Int](repeating: 0, count: validation.sliceNames.count)
        for slice in validation.slices { counts[slice] += 1 }
        let largest = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
        return largest.prefix(Evidence.Segment.maximumSlices).sorted().map { validation.sliceNames[$0] }
    }

    /// The outcome; the members before and after count as measured when they were fitted.
    func outcome() throws -> EvaluationOutcome {
        let after = coalitions.known(membersAfter)
        let models = try after.map { try coalitions.models(of: $0) } ?? []
        let combiner = verdict.isAdmission ? try combiner(models) : nil
        let metrics = try metrics(
            over: coalitions.rows, before: coalitions.known(membersBefore)?.metrics, after: after?.metrics)
        let warnings = Warnings(metrics, challenger: request.challenger, rowCount: coalitions.rows.count)
            .all(closeness)
        let ledger = ledgerAfter
        var evidence = Evidence(
            kind: request.kind, challenger: request.challenger, validation: inputs.validation.digest,
            epochSalt: request.epochSalt, rowCount: inputs.validation.rowCount,
            groupCount: inputs.validation.groupNames.count, split: split, figures: request.figures,
            submitter: request.submitter,
            inputs: try inputs.models.map { id in
                Evidence.Input(model: id, predictions: try inputs.digest(of: id), cost: try inputs.candidate(id).cost)
            },
            policy: request.policy, policyVersion: request.policyVersion,
            library: Evidence.Library(name: "LightGBM", version: library.version, sha256: library.sha256),
            preset: preset, presetLosses: presetLosses, closeness: closeness, tried: tried.map { $0.triedSet() },
            search: search, screen: screen, quantile: sealed?.gate.quantile, ranking: ranking,
            membersBefore: membersBefore, membersAfter: membersAfter, verdict: verdict,
            reason: ([reason] + warnings.map(\.message)).joined(separator: "; "), warnings: warnings,
            ledgerBefore: request.ledger, ledgerAfter: ledger, metrics: metrics, utilities: utilities,
            foldModels: models.map(\.digest), combiner: combiner?.digest, commitment: nil)
        let sealedEvidence = try sealed.map { try seal($0, opening: evidence) }
        // Not in what the nonce is made from, so that evidence from before there were any is replayed with its own.
        evidence.segments = segments
        evidence.commitment = try sealedEvidence?.digest
        return EvaluationOutcome(
            verdict: verdict, reason: evidence.reason, membersBefore: membersBefore, membersAfter: membersAfter,
            retired: membersBefore.filter { !membersAfter.contains($0) }, preset: preset, metrics: metrics,
            utilities: utilities, evidence: evidence, sealed: sealedEvidence, ledger: ledger,
            retiredLoss: request.retiredLoss + (sealed?.retiredLoss ?? 0), combiner: combiner)
    }

    /// Every set fitted, those of the sample first.
    private var tried: [Coalitions.Fit] {
        searched === coalitions ? coalitions.tried : searched.tried + coalitions.tried
    }

    private var split: Evidence.Split {
        Evidence.Split(
            openRows: inputs.openRows.count, openGroups: inputs.groupCount(of: inputs.openRows),
            sealedRows: inputs.sealedRows.count, sealedGroups: inputs.sealedGroupCount,
            searchedRows: searched.inputs.validation.rowCount)
    }

    private var ledgerAfter: Ledger {
        var ledger = request.ledger
        let waits = verdict.isAdmission && request.policy.approval != .nobody
        if request.kind == .founding {
            if verdict.isAdmission, !waits { ledger.found(membersAfter) }
            return ledger
        }
        if sealed != nil { ledger.spendTest(request.policy.gate, submitter: request.submitter) }
        if waits {
            ledger.completeWaiting(verdict)
        } else {
            ledger.complete(
                verdict, before: membersBefore, after: membersAfter, coolDown: request.policy.coolDownAfterLeaving)
        }
        return ledger
    }

    /// The sealed part. Its nonce comes from the epoch's secret and the open part, so a replay finds the same.
    private func seal(_ findings: SealedFindings, opening evidence: Evidence) throws -> SealedEvidence {
        let champion = coalitions.known(membersBefore)
        func sealedMetrics(_ fit: Coalitions.Fit) -> ClassificationMetrics {
            ClassificationMetrics(fit.fitted, rows: inputs.sealedRows, validation: inputs.validation)
        }
        return SealedEvidence(
            nonce: try CanonicalValue.array([.string(request.sealKey), .string(evidence.digest.hex)]).digest,
            gate: findings.gate, guardrails: findings.guardrails, retirements: findings.retirements,
            losses: coalitions.tried.map { $0.triedSet(logLoss: $0.meanLoss(over: inputs.sealedRows)) },
            metrics: try metrics(
                over: inputs.sealedRows, before: champion.map(sealedMetrics), after: sealedMetrics(findings.tested)),
            retiredLossBefore: request.retiredLoss, retiredLossAfter: request.retiredLoss + findings.retiredLoss)
    }

    /// The five fold models averaged on the raw-score scale: better on unseen rows than one refit on all rows.
    private func combiner(_ models: [FoldModel]) throws -> Combiner {
        let text = try Forest.averaged(lightGBMTexts: models.map(\.text))
        let forest = try Forest(lightGBMText: text, limits: .published)
        return Combiner(text: text, treeCount: forest.trees.count, golden: try goldenRows(of: forest))
    }

    /// Some rows that every member covers, with the combiner's raw scores; their context is made of just them.
    private func goldenRows(of forest: Forest) throws -> GoldenRows {
        let members = try membersAfter.map { try inputs.candidate($0).predictions }
        let rows = goldenRows(coveredBy: members)
        let groups =
            inputs.columns == .probability ? nil : MemberColumns.numbered(rows.map { inputs.validation.groups[$0] })
        let classes = inputs.validation.classCount
        func probabilities(_ member: Predictions, _ row: Int) -> ArraySlice<Float> {
            member.values[row * classes..<(row + 1) * classes]
        }
        let columns = members.map { member in
            MemberColumns(rows.flatMap { probabilities(member, $0) }, classCount: classes, groups: groups)
        }
        let scores = forest.rawScores(rows: MemberColumns.joined(columns, rows: Array(rows.indices)))
        return GoldenRows(
            inputs: rows.map { row in members.flatMap { probabilities($0, row) } }, groups: groups,
            rawScores: rows.indices.map { Array(scores[$0 * classes..<($0 + 1) * classes]) })
    }

    /// The first rows that every member covers. Where groups count, the first of its groups that have two such rows
    /// give two each: a context of single rows would not show a wrong mean.
    private func goldenRows(coveredBy members: [Predictions]) -> [Int] {
        let covered = inputs.validation.rowIDs.indices.lazy
            .filter { row in !members.contains { $0.isMissing(row: row) } }
        guard inputs.columns == .probabilityAndGroup else { return Array(covered.prefix(Self.goldenRowCount)) }
        var firstOfGroup: [Int: Int] = [:]
        var chosen: [Int] = []
        for row in covered {
            let group = inputs.validation.groups[row]
            if let first = firstOfGroup[group] {
                if !chosen.contains(first) { chosen += [first, row] }
                if chosen.count == Self.goldenRowCount { break }
            } else {
                firstOfGroup[group] = row
            }
        }
        let others = covered.filter { !chosen.contains($0) }.prefix(Self.goldenRowCount - chosen.count)
        return (chosen + others).sorted()
    }

    /// Rows that a node checks itself with: enough to notice a wrong scorer, few enough to travel in every manifest.
    private static let goldenRowCount = 4

    /// Judged models, baselines, and the ensemble before and after, over some rows.
    private func metrics(
        over rows: [Int], before: ClassificationMetrics?, after: ClassificationMetrics?
    ) throws -> [MetricsRow] {
        let validation = inputs.validation
        let judged = request.challenger.map { (membersBefore + [$0]).sorted() } ?? inputs.models
        let predictions = try judged.map { try inputs.candidate($0).predictions }
        func average(_ models: [Predictions]) -> ClassificationMetrics {
            ClassificationMetrics(averageOf: models, rows: rows, validation: validation)
        }
        var metrics = zip(judged, predictions).map { model, predictions in
            MetricsRow(subject: .model, model: model, metrics: average([predictions]))
        }
        metrics.append(MetricsRow(subject: .average, metrics: average(predictions)))
        metrics.append(
            MetricsRow(
                subject: .classPrior, metrics: ClassificationMetrics(classPriorOf: validation, rows: rows)))
        if let before { metrics.append(MetricsRow(subject: .champion, metrics: before)) }
        if let after { metrics.append(MetricsRow(subject: .ensemble, metrics: after)) }
        return metrics
    }
}
