import Foundation
import Testing

@testable import EnsembleModel

/// When a manifest goes on to further nodes, and when it halts.
@Suite struct ManifestRolloutTests {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)
    private static func later(_ seconds: Double) -> Date { start.addingTimeInterval(seconds) }

    private typealias Node = ManifestRollout.Node

    /// Nodes `n0`, `n1`, ... in the order of their cohorts for manifest 7.
    private static func nodes(_ count: Int, at time: Date = start) -> [Node] {
        (0..<count).map { Node(id: "n\($0)", standing: .waits, reportedAt: time) }
            .sorted { Rollout.cohort(node: $0.id, sequence: 7) < Rollout.cohort(node: $1.id, sequence: 7) }
    }

    private static func rollout(_ nodes: [Node], bake: Int = 60, tolerated: Double = 0) -> ManifestRollout {
        ManifestRollout(
            sequence: 7, settings: .init(bakeSeconds: bake, toleratedRefusals: tolerated), nodes: nodes, now: start)
    }

    /// Those that it reaches serve it, all have reported just now.
    private static func served(_ nodes: [Node], _ rollout: ManifestRollout, at time: Date) -> [Node] {
        nodes.map {
            Node(
                id: $0.id, standing: rollout.reaches($0.id) ? .serves : .waits, reportedAt: time)
        }
    }

    @Test func goesFromOneNodeToAll() {
        var nodes = Self.nodes(2000)
        var rollout = Self.rollout(nodes)
        var reached = [rollout.reached(nodes).count]
        var shares = [rollout.share]
        var now = Self.start
        while rollout.state == .baking {
            #expect(rollout.signedShare == rollout.share)
            nodes = Self.served(nodes, rollout, at: now)
            guard let baking = rollout.next(nodes, now: now) else { break }
            #expect(baking.bakingSince == now && baking.share == rollout.share)
            #expect(baking.next(nodes, now: now + 59) == nil)
            now += 60
            guard let next = baking.next(nodes, now: now) else { break }
            rollout = next
            shares.append(rollout.share)
            reached.append(rollout.reached(nodes).count)
        }
        #expect(rollout.state == .complete && rollout.signedShare == nil)
        #expect(shares.dropFirst() == [100, 1000, 5000, 10_000])
        #expect(reached[0] == 1 && reached.last == 2000)
        #expect(zip(reached, reached.dropFirst()).allSatisfy(<))
        #expect(now == Self.later(240))
    }

    @Test func waitsForTheNodesOfItsStage() {
        let nodes = Self.nodes(3)
        let rollout = Self.rollout(nodes)
        #expect(rollout.reached(nodes).map(\.id) == [nodes[0].id])
        for seconds in stride(from: 0, through: 170, by: 10) {
            #expect(rollout.next(nodes, now: Self.later(Double(seconds))) == nil)
        }
    }

    @Test func withoutNodesThereIsNothingToBake() {
        #expect(Self.rollout([]).state == .complete)
        // A share that reaches nobody further is passed over.
        var nodes = Self.nodes(1)
        let rollout = Self.rollout(nodes, bake: 0)
        nodes = Self.served(nodes, rollout, at: Self.start)
        #expect(rollout.next(nodes, now: Self.start)?.state == .complete)
    }

    @Test func haltsOnARefusal() throws {
        var nodes = Self.nodes(3)
        let rollout = Self.rollout(nodes)
        nodes[0].standing = .refuses("load: invalid_combiner")
        var halted = try #require(rollout.next(nodes, now: Self.later(1)))
        #expect(halted.state == .halted && halted.signedShare == 0 && halted.share == rollout.share)
        #expect(halted.reason == "\(nodes[0].id) refused it (load: invalid_combiner)")
        #expect(halted.next(nodes, now: Self.later(10_000)) == nil)

        // Whoever lets it go on answers for those that refuse; others halt it again.
        halted.resume(nodes, now: Self.later(2))
        #expect(halted.state == .baking && halted.share == rollout.share && halted.reason.isEmpty)
        let baking = try #require(halted.next(nodes, now: Self.later(3)))
        #expect(baking.state == .baking && baking.bakingSince == Self.later(3))
        nodes[1].standing = .refuses("load: invalid_combiner")
        #expect(baking.next(nodes, now: Self.later(4))?.state == .halted)

        halted.finish(now: Self.later(5))
        #expect(halted.state == .complete && halted.signedShare == nil)
    }

    /// A manifest that kills nodes is never refused.
    @Test func haltsWhenANodeFallsSilent() throws {
        var nodes = Self.nodes(3)
        let rollout = Self.rollout(nodes, bake: 600)
        for index in 1...2 { nodes[index].reportedAt = Self.later(180) }
        #expect(rollout.next(nodes, now: Self.later(180)) == nil)
        let halted = try #require(rollout.next(nodes, now: Self.later(181)))
        #expect(halted.state == .halted && halted.reason == "\(nodes[0].id) has been silent since")
        // Not one that it has not reached, nor one that had left before.
        var others = Self.served(Self.nodes(3), rollout, at: Self.later(200))
        others[2].reportedAt = Self.start
        #expect(rollout.next(others, now: Self.later(200))?.state == .baking)
        others.append(Node(id: "left", standing: .waits, reportedAt: Self.later(-200)))
        #expect(rollout.next(others, now: Self.later(200))?.state == .baking)
    }

    /// Who leaves before its stage comes did not fall silent over the manifest.
    @Test func aNodeThatLeftBeforeItsStageHaltsNothing() throws {
        let all = Self.nodes(200)
        // The stage of half of the nodes is its first.
        let gone = try #require(all.first { (1000..<5000).contains(Rollout.cohort(node: $0.id, sequence: 7)) })
        var rollout = Self.rollout(all, bake: 600)
        for step in 1...60 where rollout.state == .baking {
            // All but the one that left go on reporting.
            let now = Self.later(Double(step * 100))
            let nodes = Self.served(all.filter { $0.id != gone.id }, rollout, at: now) + [gone]
            if let next = rollout.next(nodes, now: now) { rollout = next }
        }
        #expect(rollout.state == .complete, "\(rollout.reason)")
    }

    /// After an outage nodes look silent that nobody could hear.
    @Test func silenceCountsOnlyWhereNodesCanBeHeard() throws {
        let nodes = Self.nodes(3)
        let rollout = Self.rollout(nodes)
        #expect(rollout.next(nodes, now: Self.later(500), isHearing: false) == nil)
        #expect(rollout.next(nodes, now: Self.later(500))?.state == .halted)
        var refusing = nodes
        refusing[0] = Node(id: nodes[0].id, standing: .refuses("load: x"), reportedAt: Self.later(499))
        #expect(rollout.next(refusing, now: Self.later(500), isHearing: false)?.state == .halted)
        // No stage is passed over because nobody was heard for a while, and no first one either.
        let served = Self.served(Self.nodes(2000), rollout, at: Self.start)
        let baking = try #require(Self.rollout(Self.nodes(2000)).next(served, now: Self.start))
        #expect(baking.next(served, now: Self.later(500), isHearing: false)?.share == 100)
        #expect(Self.rollout(Self.nodes(2000, at: Self.later(-500))).state == .baking)
    }

    @Test(arguments: [(0.0, true), (0.009, true), (0.02, false)])
    func toleratesAShareOfTheNodes(tolerated: Double, halts: Bool) throws {
        var nodes = Self.nodes(1000)
        var rollout = Self.rollout(nodes, bake: 0, tolerated: tolerated)
        while rollout.share < 1000 {
            nodes = Self.served(nodes, rollout, at: Self.start)
            rollout = try #require(rollout.next(nodes, now: Self.start))
        }
        nodes = Self.served(nodes, rollout, at: Self.start)
        nodes[0].standing = .refuses("runtime: crashed")
        #expect(rollout.next(nodes, now: Self.start)?.state == (halts ? .halted : .baking))
    }

    @Test func thePolicyNamesItsRanges() throws {
        let policy = try JSONDecoder().decode(Policy.self, from: Data(#"{"rollout":{"bake_seconds":60}}"#.utf8))
        #expect(policy.rollout == .init(bakeSeconds: 60, toleratedRefusals: 0))
        #expect(try policy.yaml().contains("rollout:\n  bake_seconds: 60\n  tolerated_refusals: 0\n"))
        #expect(Policy().rollout == nil)
        for text in [
            #"{"rollout":{"bake_seconds":-1}}"#, #"{"rollout":{"tolerated_refusals":1.5}}"#, #"{"rollout":{"x":1}}"#,
            #"{"rollout":"staged"}"#,
        ] {
            #expect(throws: EnsembleModelError.self, "\(text)") {
                try JSONDecoder().decode(Policy.self, from: Data(text.utf8))
            }
        }
    }
}
