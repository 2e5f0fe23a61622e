import Foundation
import RegistryStore
import Trust

@testable import RegistryServer

/// One key for each role, and their first root.
struct TestKeys: Sendable {
    let keys: [MetadataRole: SigningKey]
    let root: MetadataFile

    init() throws {
        let keys = Dictionary(uniqueKeysWithValues: MetadataRole.allCases.map { ($0, SigningKey()) })
        var proposal = try RootProposal(first: .first(keys: keys.mapValues { [$0.publicKey] }, now: Date()))
        if let key = keys[.root] { try proposal.sign(with: key) }
        self.keys = keys
        root = try proposal.finished()
    }

    var signer: DaemonSigner {
        DaemonSigner(
            root: SignedMetadata(version: root.version, bytes: root.bytes, signedAt: Date()), keys: Array(keys.values))
    }
}
