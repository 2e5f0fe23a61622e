import EnsembleModel
import Testing

@Suite("Columns of the combiner")
struct MemberColumnsTests {
    private let first: [Float] = [0.5, 0.5, 0.25, 0.75, 1, 0, 0.125, 0.875]
    private let second: [Float] = [1, 0, .nan, .nan, 0, 1, 0.5, 0.5]

    @Test("without groups: the members' probabilities beside each other")
    func probabilities() {
        let members = [first, second].map { MemberColumns($0, classCount: 2, groups: nil) }
        #expect(MemberColumns.joined(members, rows: [3, 0]) == [0.125, 0.875, 0.5, 0.5, 0.5, 0.5, 1, 0])
    }

    @Test("with groups: of each member its probabilities, then their deviations from its mean in the group")
    func deviations() {
        // Rows 0, 1 and 3 are one group, row 2 is alone.
        let members = [first, second].map { MemberColumns($0, classCount: 2, groups: [0, 0, 1, 0]) }
        let mean = (0.5 + 0.25 + 0.125) / 3
        #expect(
            MemberColumns.joined(members, rows: [0, 2]) == [
                0.5, 0.5, 0.5 - mean, 0.5 - (0.5 + 0.75 + 0.875) / 3, 1, 0, 0.25, -0.25,
                1, 0, 0, 0, 0, 1, 0, 0,
            ])
    }

    @Test("a missing row is left out of the mean and stays missing")
    func missing() {
        let member = MemberColumns(second, classCount: 2, groups: [0, 0, 0, 1])
        let values = MemberColumns.joined([member], rows: [0, 1, 2])
        #expect(Array(values[0..<4]) == [1, 0, 0.5, -0.5])
        #expect(values[4..<8].allSatisfy { $0.isNaN })
        #expect(Array(values[8...]) == [0, 1, -0.5, 0.5])
    }

    @Test("groups are numbered as they appear")
    func numbers() {
        #expect(MemberColumns.numbered(["q", "a", "q", "z", "a"]) == [0, 1, 0, 2, 1])
        #expect(MemberColumns.numbered([String]()) == [])
    }
}
