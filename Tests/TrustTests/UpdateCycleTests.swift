import EnsembleModel
import Testing
import Trust

@Suite("The client workflow")
struct UpdateCycleTests {
    @Test("a node with the first root takes everything, and stores it only in the end")
    func firstUpdate() throws {
        let release = try Repository().release()
        let (result, actions) = try release.follow()
        let update = try result.get()
        #expect(update.isNew)
        #expect(update.timestamp.position == ManifestPosition(generation: 1, sequence: 1))
        #expect(update.targets.files.map(\.path) == ["esci-us/combiner.txt", "esci-us/manifest.json"])
        let stores = actions.indices.filter { if case .store = actions[$0] { true } else { false } }
        #expect(stores == [actions.count - 2])
        let slot = try VerifiedSlot(update.trusted, ensemble: "esci-us", now: Repository.start)
        #expect(slot.expired == [])
    }
}
