import Boosting
import EnsembleModel
import RegistryTesting
import Testing

@testable import Evaluation

/// Whole streams of submissions under the gated rule against the records of an independent implementation.
@Suite("Reference records of the gate", .enabled(if: SharedData.isPresent, "needs ../shared"))
struct GoldenGateTests {
    /// The ensemble as a registry would keep it between submissions.
    private struct Stream {
        let data: SharedData
        let budget: Int
        let preset: Policy.Preset
        var founding = Policy.Founding.round
        var members: [ModelVersionID] = []
        var ledger = Ledger()
        var retiredLoss = 0.0
        let evaluator: Evaluator

        init(_ data: SharedData, budget: Int, preset: Policy.Preset = .standard) throws {
            self.data = data
            self.budget = budget
            self.preset = preset
            evaluator = Evaluator(library: try .load(), cache: FitCache(capacityBytes: 1 << 30))
        }

        mutating func submit(_ model: ModelVersionID, _ predictions: Predictions) throws -> EvaluationOutcome {
            var candidates: [Candidate] = []
            for member in members {
                candidates.append(Candidate(id: member, predictions: try #require(data.predictions[member])))
            }
            candidates.append(Candidate(id: model, predictions: predictions))
            let outcome = try evaluator.evaluate(
                EvaluationRequest(
                    kind: .admission, challenger: model, champion: members, candidates: candidates,
                    validation: data.validation, epochSalt: data.golden["epoch"].string,
                    policy: Policy(founding: founding, preset: preset, budget: Budget(members: budget)),
                    policyVersion: 1, submitter: "ann", ledger: ledger, retiredLoss: retiredLoss, sealKey: "key"))
            members = outcome.membersAfter
            ledger = outcome.ledger
            retiredLoss = outcome.retiredLoss
            return outcome
        }
    }

    @Test("a stream from the first submission on", arguments: SharedData.names)
    func evidence(name: String) throws {
        let data = try SharedData.load(name)
        var stream = try Stream(data, budget: data.golden["budget"].int)
        stream.founding = .first
        for golden in data.golden["evidence"].array { try submit(golden, to: &stream) }
        #expect(stream.members.map(\.name) == data.golden["members"].strings)
    }

    @Test("six founders, then four newcomers")
    func afterFounding() throws {
        let data = try SharedData.load("esci_us")
        let golden = data.golden["after_founding"]
        var stream = try Stream(data, budget: golden["budget"].int)
        stream.members = try data.models(golden["members_before"])
        stream.ledger.found(stream.members)
        for record in golden["evidence"].array { try submit(record, to: &stream) }
        #expect(
            try golden["evidence"].array.last?["after"].strings == stream.members.map(\.name)
                && stream.members.contains(data.model("cross_interaction")))
    }

    @Test("the automatic preset's ensemble, then newcomers", arguments: SharedData.names)
    func automatic(name: String) throws {
        let data = try SharedData.load(name)
        let golden = data.golden["auto"]
        var stream = try Stream(
            data, budget: golden["budget"].int, preset: #require(Policy.Preset(rawValue: golden["preset"].string)))
        stream.members = try data.models(golden["founded"])
        stream.ledger.found(stream.members)
        for record in golden["evidence"].array { try submit(record, to: &stream) }
        #expect(stream.members.map(\.name) == golden["members"].strings)
        let request = try data.request(candidates: stream.members)
        let settings = Coalitions.Settings(
            preset: stream.preset, scope: .all, library: try .load(), threads: 1, cache: FitCache(capacityBytes: 0),
            searchedRows: .max)
        let monitor = Monitor(report: { _ in }, isCancelled: { false })
        let metrics = try Coalitions(Inputs(request), settings: settings, monitor: monitor).fit(stream.members).metrics
        #expect(metrics.logLoss.isClose(to: golden["log_loss"]))
        #expect(metrics.accuracy.isClose(to: golden["accuracy"]))
        #expect(metrics.macroF1.isClose(to: golden["macro_f1"]))
    }

    @Test("group context", arguments: 0..<8)
    func columns(index: Int) throws {
        let data = try SharedData.load("esci_us")
        let golden = data.golden["columns"].array[index]
        let models = try data.models(golden["models"])
        var request = try data.request(candidates: models)
        request.policy.columns = try #require(Policy.Columns(rawValue: golden["columns"].string))
        let settings = Coalitions.Settings(
            preset: try #require(Policy.Preset(rawValue: golden["preset"].string)), scope: .all, library: try .load(),
            threads: 1, cache: FitCache(capacityBytes: 0), searchedRows: .max)
        let monitor = Monitor(report: { _ in }, isCancelled: { false })
        let metrics = try Coalitions(Inputs(request), settings: settings, monitor: monitor).fit(models).metrics
        #expect(metrics.logLoss.isClose(to: golden["log_loss"]))
        #expect(metrics.accuracy.isClose(to: golden["accuracy"]))
    }

    private func submit(_ golden: GoldenValue, to stream: inout Stream) throws {
        let name = golden["name"].string
        let copied = name.hasPrefix("copy_of_") ? String(name.dropFirst("copy_of_".count)) : name
        let predictions = try #require(stream.data.predictions[stream.data.model(copied)])
        let testsBefore = stream.ledger.tests
        #expect(stream.members.map(\.name) == golden["champion"].strings)
        let outcome = try stream.submit(stream.data.model(name), predictions)
        #expect(outcome.verdict.rawValue == golden["decision"].string, "\(name): \(outcome.reason)")
        #expect(outcome.membersAfter.map(\.name) == golden["after"].strings, "\(name)")
        #expect(outcome.retired.map(\.name) == golden["retired"].strings, "\(name)")
        #expect(testsBefore == golden["t"].int, "\(name)")
        if !golden["of"].isNull { #expect(outcome.reason.contains(golden["of"].string + "@1")) }
        check(outcome.evidence.screen, golden["open"], name)
        check(outcome.evidence.search, golden["search"], name)
        #expect((outcome.sealed != nil) == !golden["sealed"].isNull, "\(name)")
        guard let sealed = outcome.sealed else { return }
        check(sealed.gate.comparison, golden["sealed"], name)
        #expect(sealed.gate.quantile.isClose(to: golden["sealed"][3]), "\(name)")
        check(sealed.guardrails, golden["guards"], name)
        check(sealed.retirements, golden["retire"], name)
    }

    private func check(_ comparison: Comparison?, _ golden: GoldenValue, _ name: String) {
        #expect((comparison != nil) == !golden.isNull, "\(name)")
        guard let comparison else { return }
        #expect(comparison.gain.isClose(to: golden[0]), "\(name)")
        #expect(comparison.standardError.isClose(to: golden[1]), "\(name)")
        #expect(comparison.z.isClose(to: golden[2]), "\(name)")
    }

    private func check(_ search: [Evidence.SearchStep], _ golden: GoldenValue, _ name: String) {
        #expect(search.count == golden.array.count, "\(name)")
        for (step, golden) in zip(search, golden.array) {
            #expect(step.from.map(\.name) == golden["set"].strings, "\(name)")
            #expect(step.chosen.map(\.name) == golden["chosen"].strings, "\(name)")
            for score in step.sage { #expect(score.value.isClose(to: golden["sage"][score.model.name]), "\(score)") }
            let options = golden["alts"].record
            #expect(step.options.count == options.count, "\(name)")
            for option in step.options {
                let key = option.members.map(\.name).joined(separator: "+")
                #expect(option.logLoss.isClose(to: options[key] ?? .null), "\(name): \(key)")
            }
        }
    }

    private func check(_ guardrails: [SealedEvidence.Guardrail], _ golden: GoldenValue, _ name: String) {
        #expect(guardrails.isEmpty == golden.isNull, "\(name)")
        #expect(guardrails.count { $0.slice != nil } == golden.record.keys.count { $0.hasPrefix("slice:") }, "\(name)")
        for guardrail in guardrails {
            let comment = Comment(rawValue: "\(name): \(guardrail)")
            let rise = guardrail.after - (guardrail.before ?? 0)
            switch guardrail.kind {
            case .sliceLoss:
                let golden = golden["slice:" + (guardrail.slice ?? "")]
                #expect(rise.isClose(to: golden[0]), comment)
                #expect(((guardrail.standardError ?? 0) / 1.1).isClose(to: golden[1]), comment)
                #expect(guardrail.passed == !golden[2].bool, comment)
            case .brierScore:
                #expect(rise.isClose(to: golden["brier"][0]), comment)
                #expect((guardrail.standardError ?? 0).isClose(to: golden["brier"][1]), comment)
            case .calibration:
                #expect((guardrail.before ?? 0).isClose(to: golden["ece"][0]), comment)
                #expect(guardrail.after.isClose(to: golden["ece"][1]), comment)
            case .macroF1:
                #expect((guardrail.before ?? 0).isClose(to: golden["f1"][0]), comment)
                #expect(guardrail.after.isClose(to: golden["f1"][1]), comment)
            case .populationStability:
                #expect(guardrail.after.isClose(to: golden["psi"]), comment)
            }
        }
    }

    private func check(_ retirements: [SealedEvidence.Retirement], _ golden: GoldenValue, _ name: String) {
        #expect(retirements.map(\.model.name) == golden.array.map { $0[0].string }, "\(name)")
        for (retirement, golden) in zip(retirements, golden.array) {
            #expect(retirement.lossIncrease.isClose(to: golden[1]), "\(name)")
            #expect(retirement.standardError.isClose(to: golden[2]), "\(name)")
            #expect(retirement.upperBound.isClose(to: golden[3]), "\(name)")
        }
    }
}
