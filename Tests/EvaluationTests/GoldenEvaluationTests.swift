import Boosting
import EnsembleModel
import RegistryTesting
import Testing

@testable import Evaluation

/// Evaluations of real prediction sets against the records of an independent implementation.
@Suite("Reference records", .enabled(if: SharedData.isPresent, "needs ../shared"))
struct GoldenEvaluationTests {
    @Test("folds and open rows are the reference's", arguments: SharedData.names)
    func split(name: String) throws {
        let data = try SharedData.load(name)
        let split = try HashSplit(data.validation, salt: data.golden["epoch"].string)
        #expect(split.isOpen.count { $0 } == data.golden["open_rows"].int)
        #expect(split.isOpen.count { !$0 } == data.golden["sealed_rows"].int)
        for (row, golden) in data.golden["first_rows"].array.enumerated() {
            #expect(data.validation.rowIDs[row] == golden["id"].string)
            #expect(split.folds[row] == golden["fold"].int)
            #expect(split.isOpen[row] == golden["open"].bool)
        }
    }

    /// One cache of fits for all of a set's records, as the reference has it.
    @Test("out-of-fold metrics, SAGE and foundings are the reference's", arguments: SharedData.names)
    func founding(name: String) throws {
        let data = try SharedData.load(name)
        let monitor = Monitor(report: { _ in }, isCancelled: { false })
        let all = try Inputs(data.request(candidates: data.models))
        let cache = FitCache(capacityBytes: 1 << 30)
        let settings = Coalitions.Settings(
            preset: .standard, scope: .all, library: try .load(), threads: 1, cache: cache, searchedRows: .max)
        let coalitions = try Coalitions(all, settings: settings, monitor: monitor)

        let metrics = try coalitions.fit(data.models(data.golden["members"])).metrics
        #expect(metrics.logLoss.isClose(to: data.golden["oof"]["log_loss"]))
        #expect(metrics.accuracy.isClose(to: data.golden["oof"]["accuracy"]))
        #expect(metrics.macroF1.isClose(to: data.golden["oof"]["macro_f1"]))

        let records = data.golden["evidence"].array + data.golden["after_founding"]["evidence"].array
        for search in records.flatMap({ $0["search"].array }) {
            let scores = try coalitions.sage(of: coalitions.fit(data.models(search["set"])))
            #expect(scores.map(\.model.name) == search["set"].strings)
            for score in scores { #expect(score.value.isClose(to: search["sage"][score.model.name]), "\(score)") }
        }

        for golden in data.golden["founding"].array {
            let request = try data.request(candidates: data.models(golden["candidates"]), members: golden["budget"].int)
            let settings = Coalitions.Settings(
                preset: .standard, scope: .all, library: try .load(), threads: 1, cache: cache, searchedRows: .max)
            let coalitions = try Coalitions(Inputs(request), settings: settings, monitor: monitor)
            var search = FoundingSearch(coalitions, parsimony: 0.5, monitor: monitor)
            let result = try #require(try search.run())
            #expect(result.members.members.map(\.name) == golden["members"].strings)
            #expect(result.best.members.map(\.name) == golden["best"].strings)
            #expect(result.members.searchLoss.isClose(to: golden["loss"]))
            #expect(result.best.searchLoss.isClose(to: golden["best_loss"]))
            #expect(result.triedCount == golden["sets_tried"].int)
        }
    }

    @Test(
        "the preset that fits all candidates best is chosen and founds the reference's ensemble",
        arguments: SharedData.names)
    func automaticPreset(name: String) throws {
        let data = try SharedData.load(name)
        let golden = data.golden["auto"]
        var request = try data.request(candidates: data.models(golden["founders"]), members: golden["budget"].int)
        request.policy.preset = .auto
        let outcome = try Evaluator(library: .load()).evaluate(request)
        #expect(outcome.verdict == .admit)
        #expect(outcome.preset.rawValue == golden["preset"].string)
        #expect(outcome.evidence.presetLosses.keys.sorted() == golden["preset_losses"].record.keys.sorted())
        for (preset, loss) in outcome.evidence.presetLosses {
            #expect(loss.isClose(to: golden["preset_losses"][preset]))
        }
        #expect(outcome.membersAfter.map(\.name) == golden["founded"].strings)
        #expect(outcome.membersBefore.isEmpty && outcome.retired.isEmpty)
    }

    @Test("six founders and a newcomer beat the best single model, by the reference's figures")
    func newcomer() throws {
        let data = try SharedData.load("esci_us")
        let golden = try #require(
            data.golden["columns"].array.first {
                $0["models"].array.count == 7 && $0["preset"].string == "standard"
                    && $0["columns"].string == "probability"
            })
        let judged = try data.models(golden["models"])
        var request = try data.request(candidates: judged, members: 7)
        request.kind = .admission
        request.policy.admission = .shapleyTopK
        request.challenger = try data.model("cross_interaction")
        request.champion = judged.filter { $0 != request.challenger }
        let outcome = try Evaluator(library: .load()).evaluate(request)
        #expect(outcome.verdict == .admit)
        let ensemble = try #require(outcome.metrics.first { $0.subject == .ensemble }).metrics
        #expect(ensemble.logLoss.isClose(to: golden["log_loss"]))
        #expect(ensemble.accuracy.isClose(to: golden["accuracy"]))
        for single in outcome.metrics where single.subject == .model {
            #expect(single.metrics.logLoss > ensemble.logLoss && single.metrics.accuracy < ensemble.accuracy)
            #expect(single.metrics.macroF1 < ensemble.macroF1, "\(single)")
        }
    }
}

extension SharedData {
    /// A founding under preset `standard`, in the reference's epoch.
    func request(candidates: [ModelVersionID], members: Int = 64) throws -> EvaluationRequest {
        EvaluationRequest(
            kind: .founding,
            candidates: try candidates.map { Candidate(id: $0, predictions: try #require(predictions[$0])) },
            validation: validation, epochSalt: golden["epoch"].string,
            policy: Policy(preset: .standard, budget: Budget(members: members)), policyVersion: 1,
            submitter: "ann", sealKey: "key")
    }
}

extension Double {
    /// Agreement with a reference number to 1e-9.
    func isClose(to golden: GoldenValue) -> Bool { abs(self - golden.double) <= 1e-9 }
}
