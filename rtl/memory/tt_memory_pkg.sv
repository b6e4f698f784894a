/// Types of the memory system.
package tt_memory_pkg;
  /// Why an access was refused or is in doubt.
  typedef enum logic [2:0] {
    ErrorNone          = 3'd0,
    ErrorRead          = 3'd1,  // a read outside of its region: answered with zeros
    ErrorWrite         = 3'd2,  // a write to the image or outside of the state: dropped
    ErrorShape         = 3'd3,  // a burst that is not aligned or crosses a block: as above
    ErrorReadResponse  = 3'd4,  // the memory answered a read by other than OKAY
    ErrorWriteResponse = 3'd5   // the memory answered a write by other than OKAY
  } error_e;
endpackage
