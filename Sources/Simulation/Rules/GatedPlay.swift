import EnsembleModel
import Evaluation

/// The registry's gate: a screen on open rows, whose figures are shown, then a test on sealed rows that the ledger pays
/// for.
struct GatedPlay: RulePlay {
    private let gate: Policy.Gate
    private let test: GateTest
    private let sealedRows: [Int]
    private let inflation: Double
    private var ledger = Ledger()

    init(_ world: World, gate: Policy.Gate, inflation: Double) {
        self.gate = gate
        self.inflation = inflation
        sealedRows = world.isOpen.indices.filter { !world.isOpen[$0] }
        test = GateTest(gate, sealedGroupCount: Set(sealedRows.map { world.rows.layout.groups[$0] }).count)
    }

    var gateTests: Int { ledger.tests }

    mutating func judge(_ trial: Trial) -> Ruling {
        let screen = Comparison(trial.gain(open: true))
        var ruling = Ruling(isPromoted: false, score: screen.gain)
        guard screen.gain > 0 else { return ruling }
        guard test.hold(ledger, submitter: trial.submitter) == nil else {
            ruling.isHeld = true
            return ruling
        }
        ledger.spendTest(gate, submitter: trial.submitter)
        let championLoss = sealedRows.reduce(0) { $0 + trial.championLosses[$1] } / Double(sealedRows.count)
        let sealed = Comparison(trial.gain(open: false), inflation: inflation)
        ruling.isPromoted = test.result(sealed, championLoss: championLoss).passed
        return ruling
    }
}
