/// One page of a listing.
public struct Page<Item: Codable & Sendable & Hashable>: Hashable, Sendable, Codable {
    public var items: [Item]
    /// Pass as `after` to get the next page; nil on the last.
    public var next: String?

    public init(items: [Item], next: String?) {
        self.items = items
        self.next = next
    }
}
