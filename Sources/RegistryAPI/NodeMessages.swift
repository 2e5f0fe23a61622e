public import EnsembleModel

/// What a serving node says of itself.
public struct NodeStatusRequest: Hashable, Sendable, Codable {
    /// One report an ensemble that it follows.
    public var ensembles: [NodeReport]

    public init(ensembles: [NodeReport]) {
        self.ensembles = ensembles
    }
}
