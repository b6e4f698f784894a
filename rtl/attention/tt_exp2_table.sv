/// A table of powers of two: word f is 2^23 * 2^(-f / 256), rounded to nearest.
module tt_exp2_table (
  /// Clock.
  input  logic        clk_i,
  /// A word is read.
  input  logic        read_i,
  /// Its number.
  input  logic [7:0]  index_i,
  /// The word, one cycle after.
  output logic [23:0] power_o
);
  // Word 255 comes first.
  localparam logic [256*24-1:0] Powers = {
    24'h402c6c, 24'h4058f7, 24'h4085a0, 24'h40b269, 24'h40df51, 24'h410c58, 24'h41397e, 24'h4166c3,
    24'h419428, 24'h41c1ad, 24'h41ef51, 24'h421d14, 24'h424af8, 24'h4278fb, 24'h42a71e, 24'h42d562,
    24'h4303c5, 24'h433249, 24'h4360ed, 24'h438fb1, 24'h43be95, 24'h43ed9b, 24'h441cc1, 24'h444c07,
    24'h447b6f, 24'h44aaf7, 24'h44daa0, 24'h450a6b, 24'h453a56, 24'h456a63, 24'h459a91, 24'h45cae1,
    24'h45fb52, 24'h462be5, 24'h465c99, 24'h468d70, 24'h46be68, 24'h46ef82, 24'h4720be, 24'h47521d,
    24'h47839d, 24'h47b541, 24'h47e706, 24'h4818ee, 24'h484af9, 24'h487d26, 24'h48af77, 24'h48e1ea,
    24'h491480, 24'h494739, 24'h497a16, 24'h49ad16, 24'h49e039, 24'h4a1380, 24'h4a46ea, 24'h4a7a78,
    24'h4aae2a, 24'h4ae1ff, 24'h4b15f9, 24'h4b4a17, 24'h4b7e58, 24'h4bb2bf, 24'h4be749, 24'h4c1bf8,
    24'h4c50cc, 24'h4c85c4, 24'h4cbae1, 24'h4cf023, 24'h4d258a, 24'h4d5b15, 24'h4d90c7, 24'h4dc69d,
    24'h4dfc99, 24'h4e32ba, 24'h4e6900, 24'h4e9f6d, 24'h4ed5ff, 24'h4f0cb7, 24'h4f4395, 24'h4f7a99,
    24'h4fb1c3, 24'h4fe914, 24'h50208b, 24'h505829, 24'h508fed, 24'h50c7d7, 24'h50ffe9, 24'h513822,
    24'h517081, 24'h51a908, 24'h51e1b6, 24'h521a8b, 24'h525388, 24'h528cac, 24'h52c5f8, 24'h52ff6b,
    24'h533907, 24'h5372ca, 24'h53acb6, 24'h53e6ca, 24'h542106, 24'h545b6b, 24'h5495f8, 24'h54d0ad,
    24'h550b8c, 24'h554693, 24'h5581c3, 24'h55bd1d, 24'h55f89f, 24'h56344b, 24'h567021, 24'h56ac1f,
    24'h56e848, 24'h57249a, 24'h576116, 24'h579dbc, 24'h57da8d, 24'h581787, 24'h5854ac, 24'h5891fb,
    24'h58cf74, 24'h590d19, 24'h594ae8, 24'h5988e2, 24'h59c707, 24'h5a0557, 24'h5a43d3, 24'h5a827a,
    24'h5ac14c, 24'h5b004a, 24'h5b3f73, 24'h5b7ec9, 24'h5bbe4a, 24'h5bfdf8, 24'h5c3dd2, 24'h5c7dd8,
    24'h5cbe0a, 24'h5cfe69, 24'h5d3ef5, 24'h5d7fad, 24'h5dc093, 24'h5e01a5, 24'h5e42e5, 24'h5e8452,
    24'h5ec5ec, 24'h5f07b4, 24'h5f49aa, 24'h5f8bcd, 24'h5fce1e, 24'h60109d, 24'h60534b, 24'h609626,
    24'h60d930, 24'h611c69, 24'h615fd0, 24'h61a366, 24'h61e72b, 24'h622b1f, 24'h626f43, 24'h62b395,
    24'h62f817, 24'h633cc8, 24'h6381a9, 24'h63c6ba, 24'h640bfb, 24'h64516c, 24'h64970d, 24'h64dcdf,
    24'h6522e1, 24'h656913, 24'h65af76, 24'h65f60a, 24'h663cd0, 24'h6683c6, 24'h66caed, 24'h671246,
    24'h6759d0, 24'h67a18c, 24'h67e97a, 24'h68319a, 24'h6879ec, 24'h68c270, 24'h690b26, 24'h69540f,
    24'h699d2a, 24'h69e678, 24'h6a2ff9, 24'h6a79ad, 24'h6ac395, 24'h6b0daf, 24'h6b57fd, 24'h6ba27e,
    24'h6bed34, 24'h6c381d, 24'h6c833a, 24'h6cce8b, 24'h6d1a10, 24'h6d65ca, 24'h6db1b9, 24'h6dfddc,
    24'h6e4a34, 24'h6e96c1, 24'h6ee383, 24'h6f307a, 24'h6f7da7, 24'h6fcb09, 24'h7018a2, 24'h70666f,
    24'h70b473, 24'h7102ad, 24'h71511e, 24'h719fc5, 24'h71eea2, 24'h723db6, 24'h728d01, 24'h72dc83,
    24'h732c3d, 24'h737c2d, 24'h73cc55, 24'h741cb5, 24'h746d4d, 24'h74be1c, 24'h750f24, 24'h756063,
    24'h75b1dc, 24'h76038c, 24'h765576, 24'h76a798, 24'h76f9f3, 24'h774c88, 24'h779f56, 24'h77f25d,
    24'h78459e, 24'h789918, 24'h78eccd, 24'h7940bc, 24'h7994e5, 24'h79e948, 24'h7a3de6, 24'h7a92bf,
    24'h7ae7d2, 24'h7b3d21, 24'h7b92ab, 24'h7be870, 24'h7c3e70, 24'h7c94ad, 24'h7ceb25, 24'h7d41d9,
    24'h7d98ca, 24'h7deff7, 24'h7e4760, 24'h7e9f06, 24'h7ef6e9, 24'h7f4f09, 24'h7fa766, 24'h800000
  };

  logic [23:0] memory [256];

  initial begin
    for (int i = 0; i < 256; i++) memory[i] = Powers[24*i +: 24];
  end

  always_ff @(posedge clk_i) begin
    if (read_i) power_o <= memory[index_i];
  end
endmodule
