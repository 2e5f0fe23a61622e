import EnsembleModel
import Foundation
import RegistryStore

/// Writes down what it is asked to sign: to the store, signed metadata is bytes.
struct PlainSigner: MetadataSigner {
    var rootVersion = 1

    func targets(_ published: PublishedFiles, version: Int, now: Date) -> [UInt8] {
        Array("targets \(version): \(published.manifest.sha256) \(published.combiner.sha256)".utf8)
    }

    func snapshot(of champion: ChampionNumber, targets: SignedMetadata, version: Int, now: Date) -> [UInt8] {
        Array("snapshot \(version): targets \(targets.version)".utf8)
    }

    func timestamp(
        of champion: ChampionNumber, snapshot: SignedMetadata, rollout: Int?, version: Int, now: Date
    ) -> [UInt8] {
        let share = rollout.map { " to \($0)" } ?? ""
        return Array("timestamp \(version): snapshot \(snapshot.version), manifest \(champion.sequence)\(share)".utf8)
    }
}
