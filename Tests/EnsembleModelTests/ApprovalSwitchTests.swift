import Foundation
import Testing

@testable import EnsembleModel

/// `approval: none` leaves no trace where there was no such switch.
struct ApprovalSwitchTests {
    @Test func policiesFromBeforeTheSwitchKeepTheirBytes() throws {
        // Of the bytes that versions before the switch wrote, made without this program.
        let before = try CanonicalValue(encoding: Policy()).digest
        #expect(before.hex == "3518db2d01d43b2e21e508e5c18791df19a4f92b6ad3c25428e2da8f3e48e39c")
        #expect(try CanonicalValue(encoding: Policy(approval: .nobody)).digest == before)
        #expect(try JSONDecoder().decode(Policy.self, from: Data("{}".utf8)) == Policy())
        #expect(try JSONDecoder().decode(Policy.self, from: Data(#"{"approval":"none"}"#.utf8)) == Policy())
        let two = try JSONDecoder().decode(Policy.self, from: Data(#"{"approval":"two"}"#.utf8))
        #expect(two.approval == .two && two.approval.needed == 2 && two != Policy())
        #expect(try JSONDecoder().decode(Policy.self, from: JSONEncoder().encode(two)) == two)
        var back = two
        back.approval = .nobody
        #expect(back == Policy())
    }

    @Test func theSwitchIsAlwaysShown() throws {
        #expect(try Policy().yaml().contains("approval: none\n"))
        #expect(
            try Policy(approval: .one).changes(from: Policy())
                == [PolicyChange(name: "approval", before: "none", after: "one")])
        let unknown = #expect(throws: EnsembleModelError.self) {
            try JSONDecoder().decode(Policy.self, from: Data(#"{"approval":"three"}"#.utf8))
        }
        #expect(unknown?.message == "approval is 'three'; it must be one of: none, one, two")
    }

    /// An approval that comes at once books what no wait would have.
    @Test(arguments: [0, 1, 5])
    func waitingForNothingComesToTheSame(coolDown: Int) throws {
        let models = try ["a@1", "b@1", "c@1"].map { try ModelVersionID($0) }
        var ledger = Ledger(
            evaluations: 4, promotions: 1, coolDowns: ["c": 9, "old": 4], tenures: ["a@1": 0, "b@1": 2])
        ledger.spendTest(Policy.Gate(), submitter: "sam")
        let (before, after) = ([models[0], models[1]], [models[1], models[2]])
        var atOnce = ledger
        atOnce.complete(.admitRetire, before: before, after: after, coolDown: coolDown)
        var waited = ledger
        waited.completeWaiting(.admitRetire)
        #expect(waited.tenures == ledger.tenures && waited.promotions == 1 && waited.evaluations == 5)
        waited.approve(before: before, after: after, coolDown: coolDown)
        #expect(waited == atOnce)
    }
}
